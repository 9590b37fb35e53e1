package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.LayerSpec;
import org.sinkq.SinkPolicy;

final class KvSettingsTest {
  @Test
  void presetsAreTheKnownSettings() {
    check(KvPreset.FP16, KvCodec.FP16, 32, SinkPolicy.NONE, "fp16: 16 bit");
    check(
        KvPreset.INT4,
        KvCodec.INT4,
        32,
        new SinkPolicy(3, 32),
        "int4: 4 bit, page 128, window 32, pool 3, spill 32");
    check(
        KvPreset.KIVI2,
        KvCodec.INT2,
        128,
        SinkPolicy.NONE,
        "kivi2: 2 bit, page 128, window 128, pool 0, spill 0");
    check(
        KvPreset.KIVI2_G32,
        KvCodec.INT2,
        128,
        SinkPolicy.NONE,
        "kivi2-g32: 2 bit, page 32, window 128, pool 0, spill 0");
    assertEquals(
        new LayerSpec(KvCodec.INT2, SinkPolicy.first(4)),
        KvSettings.of(KvPreset.FIRST4, null, null, null, null).spec(9, 2).layer(0));
    assertEquals(
        32, KvSettings.of(KvPreset.KIVI2_G32, null, null, null, null).spec(9, 2).valueGroup());
    check(
        KvPreset.SINKQ2,
        KvCodec.INT2,
        32,
        new SinkPolicy(3, 32),
        "sinkq2: 2 bit, page 128, window 32, pool 3, spill 32");
  }

  private static void check(
      KvPreset preset, KvCodec codec, int window, SinkPolicy sinks, String text) {
    KvSettings settings = KvSettings.of(preset, null, null, null, null);
    KvCacheSpec spec = settings.spec(1000, KvSettings.FIRST_SINK_LAYER);
    assertEquals(new LayerSpec(codec, sinks), spec.layer(2), preset.toString());
    assertEquals(SinkPolicy.NONE, spec.layer(1).sinks(), preset.toString());
    assertEquals(preset == KvPreset.KIVI2_G32 ? 32 : 128, spec.pageTokens());
    assertEquals(window, spec.windowTokens(), preset.toString());
    assertEquals(1000, spec.capacityTokens());
    assertEquals(text, settings.describe());
  }

  @Test
  void whatIsGivenOverridesThePreset() {
    assertEquals(
        new KvSettings(KvPreset.KIVI2, 64, 0, 5, 32),
        KvSettings.of(KvPreset.KIVI2, 64, 0, 5, null));
    assertEquals(
        new KvSettings(KvPreset.SINKQ2, 128, 32, 0, 0),
        KvSettings.of(KvPreset.SINKQ2, null, null, 0, null));
    assertEquals(
        new KvSettings(KvPreset.SINKQ2, 128, 32, 3, 7),
        KvSettings.of(KvPreset.SINKQ2, null, null, null, 7));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "SINKQ2|48|-|-|-|--page=48, expected 32, 64 or 128",
        "SINKQ2|-|-1|-|-|--window=-1, expected 0 to 4096",
        "SINKQ2|-|4097|-|-|--window=4097, expected 0 to 4096",
        "SINKQ2|-|-|32|-|--pool=32, expected 0 to 31",
        "SINKQ2|-|-|-|225|--spill=225, expected 0 to 224",
        "FP16|-|-|3|-"
            + "|--pool=3 with --kv fp16, expected a quantized cache: sinks are exact in a dense one",
        "FIRST4|-|-|-|4|--spill=4 with --kv first4, expected none: its tokens never leave the pool",
        "KIVI2|-|-|-|4|--spill=4 without a pool, expected --pool 1 or more, or no --spill",
        "SINKQ2|-|-|0|4|--spill=4 without a pool, expected --pool 1 or more, or no --spill",
      })
  void whatDoesNotFitIsNamed(
      KvPreset preset, Integer page, Integer window, Integer pool, Integer spill, String message) {
    assertEquals(
        message,
        assertThrows(
                InvalidArgumentException.class,
                () -> KvSettings.of(preset, page, window, pool, spill))
            .getMessage());
  }
}
