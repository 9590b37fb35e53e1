package org.sinkq.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.sinkq.KvCodec;
import org.sinkq.SinkPolicy;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The caches that {@code --kv} names. */
enum KvPreset {
  /** Dense binary16. */
  FP16("fp16", KvCodec.FP16, 32, false),
  /** 4 bits with sink tracking. */
  INT4("int4", KvCodec.INT4, 32, true),
  /** KIVI (arXiv 2402.02750): 2 bits, a window of 128, no sinks. */
  KIVI2("kivi2", KvCodec.INT2, 128, false),
  /** The published setting of SinkQ. */
  SINKQ2("sinkq2", KvCodec.INT2, 32, true);

  /** Tokens of a page unless {@code --page} says otherwise. */
  static final int PAGE_TOKENS = 128;

  private final String label;
  private final KvCodec codec;
  private final int windowTokens;
  private final boolean tracked;

  KvPreset(String label, KvCodec codec, int windowTokens, boolean tracked) {
    this.label = label;
    this.codec = codec;
    this.windowTokens = windowTokens;
    this.tracked = tracked;
  }

  KvCodec codec() {
    return codec;
  }

  int windowTokens() {
    return windowTokens;
  }

  SinkPolicy sinks() {
    return tracked ? SinkPolicy.DEFAULT : SinkPolicy.NONE;
  }

  /** As on the command line. */
  @Override
  public String toString() {
    return label;
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
      String known =
          Arrays.stream(values()).map(KvPreset::toString).collect(Collectors.joining(", "));
      throw new TypeConversionException("'" + value + "', expected one of " + known);
    }
  }
}
