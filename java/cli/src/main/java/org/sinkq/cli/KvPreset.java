package org.sinkq.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.sinkq.KvCodec;
import org.sinkq.SinkPolicy;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The caches that {@code --kv} names. */
@SuppressWarnings("ImmutableEnumChecker") // A SinkPolicy is a record of plain values.
enum KvPreset {
  /** Dense binary16. */
  FP16("fp16", KvCodec.FP16, 128, 32, 128, SinkPolicy.NONE),
  /** 4 bits with sink tracking. */
  INT4("int4", KvCodec.INT4, 128, 32, 128, SinkPolicy.DEFAULT),
  /** KIVI (arXiv 2402.02750): 2 bits, a window of 128, no sinks. */
  KIVI2("kivi2", KvCodec.INT2, 128, 128, 128, SinkPolicy.NONE),
  /** KIVI with groups of 32 tokens and of 32 channels, its headline setting. */
  KIVI2_G32("kivi2-g32", KvCodec.INT2, 32, 128, 32, SinkPolicy.NONE),
  /** 2 bits with the first four tokens of a text in full precision in every layer. */
  FIRST4("first4", KvCodec.INT2, 128, 32, 128, SinkPolicy.first(4)),
  /** The published setting of SinkQ. */
  SINKQ2("sinkq2", KvCodec.INT2, 128, 32, 128, SinkPolicy.DEFAULT),
  /** SinkQ with digits given out by channel and rotated values, see docs/accuracy.md. */
  SINKQ2A("sinkq2a", KvCodec.INT2_ADAPTIVE, 128, 32, 128, SinkPolicy.DEFAULT),
  /** The published setting, but the sinks are the tokens that draw the most attention. */
  SINKQ2_MASS("sinkq2-mass", KvCodec.INT2, 128, 32, 128, mostAttended()),
  /** The same with the adaptive codec. */
  SINKQ2A_MASS("sinkq2a-mass", KvCodec.INT2_ADAPTIVE, 128, 32, 128, mostAttended());

  private final String label;
  private final KvCodec codec;
  private final int pageTokens;
  private final int windowTokens;
  private final int valueGroup;
  private final SinkPolicy sinks;

  KvPreset(
      String label,
      KvCodec codec,
      int pageTokens,
      int windowTokens,
      int valueGroup,
      SinkPolicy sinks) {
    this.label = label;
    this.codec = codec;
    this.pageTokens = pageTokens;
    this.windowTokens = windowTokens;
    this.valueGroup = valueGroup;
    this.sinks = sinks;
  }

  private static SinkPolicy mostAttended() {
    SinkPolicy usual = SinkPolicy.DEFAULT;
    return new SinkPolicy(
        usual.poolTokens(), usual.spillTokens(), SinkPolicy.Selection.MOST_ATTENDED);
  }

  KvCodec codec() {
    return codec;
  }

  int pageTokens() {
    return pageTokens;
  }

  int windowTokens() {
    return windowTokens;
  }

  int valueGroup() {
    return valueGroup;
  }

  SinkPolicy sinks() {
    return sinks;
  }

  /** Whether its sinks are the first tokens, whatever their keys. */
  boolean keepsFirstTokens() {
    return sinks.selection() == SinkPolicy.Selection.FIRST_TOKENS;
  }

  /** As on the command line. */
  @Override
  public String toString() {
    return label;
  }

  /** The names of all, for messages. */
  static String names() {
    return Arrays.stream(values()).map(KvPreset::toString).collect(Collectors.joining(", "));
  }

  /** From the command line; picocli's own would list the names in capitals. */
  static final class Converter implements ITypeConverter<KvPreset> {
    @Override
    public KvPreset convert(String value) {
      for (KvPreset preset : values()) {
        if (preset.label.equals(value.toLowerCase(Locale.ROOT))) {
          return preset;
        }
      }
      throw new TypeConversionException("'" + value + "', expected one of " + names());
    }
  }
}
