package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.layout.CacheGeometry;

/**
 * The sizes that the kernels were compiled with, found in their PTX, are those of the Java side.
 */
class KernelConstantsTest {
  private static final int[] PAGES = {32, 64, 128};
  private static final KvCodec[] CODECS = {KvCodec.INT2, KvCodec.INT4, KvCodec.FP16};

  private static CudaLayout layout(int headDim, KvCodec codec, int pageTokens) {
    ModelShape shape = ModelShape.of(1, 4, 2, headDim);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(pageTokens)
            .codec(codec)
            .firstSinkLayer(0)
            .capacityTokens(1)
            .build();
    return new CudaLayout(new CacheGeometry(shape, spec), 0);
  }

  /** The bytes of a constant array in PTX text, as ints. */
  private static List<Integer> constants(String ptx, String name) {
    Pattern array =
        Pattern.compile("\\.const \\.align 4 \\.b8 " + name + "\\[(\\d+)] = \\{([^}]*)}");
    Matcher matcher = array.matcher(ptx);
    assertTrue(matcher.find(), "no " + name + " in the PTX");
    String[] bytes = matcher.group(2).split(",", -1);
    List<Integer> ints = new ArrayList<>();
    for (int i = 0; i < Integer.parseInt(matcher.group(1)); i += Integer.BYTES) {
      int word = 0;
      // Zeros at the end are not written out.
      for (int b = Math.min(i + 3, bytes.length - 1); b >= i; b--) {
        word |= Integer.parseInt(bytes[b].strip()) << (Byte.SIZE * (b - i));
      }
      ints.add(word);
    }
    return ints;
  }

  @ParameterizedTest
  @ValueSource(ints = {64, 80, 96, 128, 192, 256})
  void sizesAreTheSameOnBothSides(int headDim) {
    List<Integer> expected = new ArrayList<>();
    for (KvCodec codec : CODECS) {
      for (int page : PAGES) {
        expected.add(layout(headDim, codec, page).pageBytes);
      }
    }
    CudaLayout dense = layout(headDim, KvCodec.FP16, 32);
    expected.add(dense.denseBlock);
    expected.add(layout(headDim, KvCodec.INT2, 128).packShared());
    for (KvCodec codec : List.of(KvCodec.INT2, KvCodec.INT4)) {
      for (int page : PAGES) {
        expected.add(layout(headDim, codec, page).attendShared());
      }
    }
    expected.add(dense.attendShared());
    CudaLayout adaptive = layout(headDim, KvCodec.INT2_ADAPTIVE, 128);
    expected.add(adaptive.pageBytes);
    expected.add(adaptive.packShared());
    expected.add(adaptive.attendShared());
    expected.add(CudaLayout.prefillShared(headDim, false));
    expected.add(CudaLayout.prefillColumns(headDim));
    expected.add(CudaLayout.prefillPartial(headDim));
    expected.add(LaunchParameters.LENGTH);
    expected.add(120);
    expected.add(248);
    expected.add(LaunchParameters.FLOATS_OFFSET + Float.BYTES);
    expected.add(LaunchParameters.MASSES_OFFSET);
    expected.add(StepTables.SEQUENCE_INTS * Integer.BYTES);
    expected.add(StepTables.ITEM_INTS * Integer.BYTES);
    expected.add(CudaLayout.sinkHeadBytes(35));
    assertEquals(expected, constants(CudaKernels.ptx(headDim), "layout_d" + headDim));
    List<Integer> masses =
        List.of(
            CudaLayout.massTokens(headDim),
            CudaLayout.massThreads(headDim),
            CudaKernels.MANY_COLUMNS);
    assertEquals(masses, constants(CudaKernels.massesPtx(headDim), "masses_layout_d" + headDim));
  }
}
