package org.sinkq.llm.gguf;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.sinkq.llm.InvalidModelException;

/**
 * The key-value entries of a file. The plain getters demand an entry, the {@code find} forms allow
 * it to be absent; an entry of another kind is an error either way. Integers of every width are one
 * kind, and so are the two floating-point types.
 */
public final class GgufMetadata {
  private final Path file;
  private final Map<String, Object> entries;

  /** Values: Long, Double, Boolean, String, or List of String, long[], float[], boolean[]. */
  GgufMetadata(Path file, Map<String, Object> entries) {
    this.file = file;
    this.entries = entries;
  }

  /** Every key, in the order of the file. */
  public Set<String> keys() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  /** Whether there is an entry. */
  public boolean has(String key) {
    return entries.containsKey(key);
  }

  /**
   * A string.
   *
   * @throws InvalidModelException if it is missing or no string
   */
  public String string(String key) {
    return demand(key, findString(key));
  }

  /** A string, if present. */
  public Optional<String> findString(String key) {
    return find(key, String.class, "a string");
  }

  /**
   * An integer that fits 32 bits.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public int integer(String key) {
    return demand(key, boxed(findInteger(key)));
  }

  /** An integer that fits 32 bits, if present. */
  public OptionalInt findInteger(String key) {
    OptionalLong found = findLong(key);
    return found.isEmpty() ? OptionalInt.empty() : OptionalInt.of(narrow(key, found.getAsLong()));
  }

  /**
   * An integer.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public long longInteger(String key) {
    return demand(key, find(key, Long.class, "an integer"));
  }

  /** An integer, if present. */
  public OptionalLong findLong(String key) {
    Optional<Long> found = find(key, Long.class, "an integer");
    return found.isEmpty() ? OptionalLong.empty() : OptionalLong.of(found.get());
  }

  /**
   * A floating-point number.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public float floating(String key) {
    return demand(key, find(key, Double.class, "a floating-point number")).floatValue();
  }

  /** A floating-point number, if present. */
  public OptionalDouble findFloating(String key) {
    Optional<Double> found = find(key, Double.class, "a floating-point number");
    return found.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(found.get());
  }

  /**
   * A truth value.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public boolean bool(String key) {
    return demand(key, findBool(key));
  }

  /** A truth value, if present. */
  public Optional<Boolean> findBool(String key) {
    return find(key, Boolean.class, "a truth value");
  }

  /**
   * An array of strings, unmodifiable.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public List<String> strings(String key) {
    return demand(key, findStrings(key));
  }

  /** An array of strings, unmodifiable, if present. */
  public Optional<List<String>> findStrings(String key) {
    return find(key, Strings.class, "an array of strings").map(Strings::values);
  }

  /**
   * A copy of an array of integers that fit 32 bits.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public int[] integers(String key) {
    return demand(key, findIntegers(key));
  }

  /** A copy of an array of integers that fit 32 bits, if present. */
  public Optional<int[]> findIntegers(String key) {
    return find(key, long[].class, "an array of integers")
        .map(
            values -> {
              int[] narrow = new int[values.length];
              for (int i = 0; i < narrow.length; i++) {
                narrow[i] = narrow(key, values[i]);
              }
              return narrow;
            });
  }

  /**
   * A copy of an array of floating-point numbers.
   *
   * @throws InvalidModelException if it is missing or something else
   */
  public float[] floats(String key) {
    return demand(key, findFloats(key));
  }

  /** A copy of an array of floating-point numbers, if present. */
  public Optional<float[]> findFloats(String key) {
    return find(key, float[].class, "an array of floating-point numbers").map(float[]::clone);
  }

  /** An array of strings; tells it from other lists. */
  record Strings(List<String> values) {}

  private <T> Optional<T> find(String key, Class<T> kind, String expected) {
    Object value = entries.get(key);
    if (value == null) {
      return Optional.empty();
    }
    InvalidModelException.require(
        kind.isInstance(value), file, "%s=%s, expected %s", key, describe(value), expected);
    return Optional.of(kind.cast(value));
  }

  private <T> T demand(String key, Optional<T> found) {
    return found.orElseThrow(
        () -> new InvalidModelException(file, key + " is missing, expected it in the metadata"));
  }

  private static Optional<Integer> boxed(OptionalInt value) {
    return value.isEmpty() ? Optional.empty() : Optional.of(value.getAsInt());
  }

  private int narrow(String key, long value) {
    InvalidModelException.require(
        value == (int) value, file, "%s=%d, expected an integer of 32 bits", key, value);
    return (int) value;
  }

  private static String describe(Object value) {
    return switch (value) {
      case Strings s -> "array of " + s.values().size() + " strings";
      case long[] a -> "array of " + a.length + " integers";
      case float[] a -> "array of " + a.length + " floating-point numbers";
      case boolean[] a -> "array of " + a.length + " truth values";
      case String s -> '"' + (s.length() > 40 ? s.substring(0, 40) + "..." : s) + '"';
      default -> value.toString();
    };
  }
}
