package org.sinkq.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.sinkq.InvalidArgumentException;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The option of commands that compare caches. */
final class KvList {
  /** The cache that all others are compared with. */
  static final Named REFERENCE =
      new Named(KvPreset.FP16.toString(), KvSettings.of(KvPreset.FP16, null, null, null, null));

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--kv",
      paramLabel = "KIND[:NAME=N...]",
      split = ",",
      defaultValue = "kivi2,sinkq2:pool=0,sinkq2",
      converter = Converter.class,
      description = {
        "Caches to compare, separated by commas (default: ${DEFAULT-VALUE}). Each is one of fp16,"
            + " int4, kivi2, kivi2-g32, first4, sinkq2, sinkq2a, sinkq2-mass, sinkq2a-mass, and can change page, window, pool and"
            + " spill:"
            + " sinkq2:pool=0:window=64. fp16 always takes part; the others are held to it."
      })
  private List<Named> kinds;

  /**
   * A cache and what the user calls it.
   *
   * @param name as on the command line
   */
  record Named(String name, KvSettings settings) {}

  /** The caches in their order, fp16 first; without repetitions. */
  List<Named> kinds() {
    List<Named> all = Stream.concat(Stream.of(REFERENCE), kinds.stream()).distinct().toList();
    if (all.size() == 1) {
      throw new ParameterException(
          spec.commandLine(), "--kv=" + REFERENCE.name + ", expected another one to compare with");
    }
    return all;
  }

  /** One of the list. */
  static final class Converter implements ITypeConverter<Named> {
    @Override
    public Named convert(String text) {
      String[] parts = text.toLowerCase(Locale.ROOT).split(":", -1);
      KvPreset preset = new KvPreset.Converter().convert(parts[0]);
      Integer[] changes = new Integer[4];
      List<String> names = List.of("page", "window", "pool", "spill");
      for (String part : Arrays.asList(parts).subList(1, parts.length)) {
        int equals = part.indexOf('=');
        int index = equals < 0 ? -1 : names.indexOf(part.substring(0, equals));
        if (index < 0) {
          throw new TypeConversionException(
              "'" + text + "': " + part + ", expected one of page=N, window=N, pool=N, spill=N");
        }
        changes[index] = number(text, part, part.substring(equals + 1));
      }
      try {
        return new Named(
            String.join(":", parts),
            KvSettings.of(preset, changes[0], changes[1], changes[2], changes[3]));
      } catch (InvalidArgumentException e) {
        throw new TypeConversionException("'" + text + "': " + e.getMessage());
      }
    }

    private static Integer number(String text, String part, String digits) {
      try {
        return Integer.valueOf(digits);
      } catch (NumberFormatException e) {
        throw new TypeConversionException("'" + text + "': " + part + ", expected a number");
      }
    }
  }
}
