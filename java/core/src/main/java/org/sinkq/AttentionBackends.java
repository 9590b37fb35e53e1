package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/** Finds engines and opens backends. */
public final class AttentionBackends {
  /** Engines that fail to load before the search gives up; the iterator may repeat itself. */
  private static final int MAX_UNLOADABLE = 16;

  private AttentionBackends() {}

  /**
   * What every engine on the module or class path has to say about this machine, best first. Never
   * throws.
   */
  public static List<EngineStatus> probe() {
    return candidates().stream().map(Candidate::status).toList();
  }

  /**
   * Opens a backend. An engine asked for by name is used or refused; {@link BackendConfig#AUTO}
   * takes the best that can run here and has what the cache asks for, and the status of the
   * backend's engine tells why.
   *
   * @throws EngineUnavailableException if the engine asked for, or every engine, cannot run here
   * @throws InvalidArgumentException if the name is unknown, the engine lacks what the cache asks
   *     for, the capacity is too small for one page, or there is no device of that number
   * @throws DeviceException if the memory cannot be had
   */
  public static AttentionBackend open(BackendConfig config) {
    List<Candidate> candidates = candidates();
    if (!BackendConfig.AUTO.equals(config.engine())) {
      Candidate named = named(candidates, config.engine());
      if (!named.status.available()) {
        throw new EngineUnavailableException(named.status);
      }
      return EngineBackend.open(config, named.provider, chosen(named.status, "asked for by name"));
    }
    CacheGeometry geometry = new CacheGeometry(config.shape(), config.cache());
    List<String> passedOver = new ArrayList<>();
    for (Candidate candidate : candidates) {
      EngineStatus status = candidate.status;
      String refusal = status.available() ? refusal(candidate.provider, geometry) : "";
      if (!refusal.isEmpty()) {
        passedOver.add(status.name() + ": " + refusal);
      } else if (status.available()) {
        String why =
            passedOver.isEmpty()
                ? "the best engine here"
                : "passed over " + String.join("; ", passedOver);
        return EngineBackend.open(config, candidate.provider, chosen(status, why));
      } else {
        passedOver.add(status.name() + ": " + status.reason() + " (" + status.remedy() + ")");
      }
    }
    throw new EngineUnavailableException(
        candidates.isEmpty()
            ? new EngineStatus(
                BackendConfig.AUTO,
                false,
                "",
                "no engine found",
                "put an engine on the module path")
            : candidates.getLast().status);
  }

  /** What an engine that can run lacks for a cache, or nothing. */
  private static String refusal(EngineProvider provider, CacheGeometry geometry) {
    try {
      provider.footprint(geometry);
      return "";
    } catch (InvalidArgumentException e) {
      return e.getMessage();
    }
  }

  /**
   * Bytes that a backend of this configuration allocates, without opening it: pages, dense rows and
   * index tables.
   *
   * @throws InvalidArgumentException if the engine's name is unknown or the capacity too small
   * @throws EngineUnavailableException if the engine cannot even be loaded
   */
  public static long requiredBytes(BackendConfig config, String engine) {
    Candidate named = named(candidates(), engine);
    if (named.provider == null) {
      throw new EngineUnavailableException(named.status);
    }
    CacheGeometry geometry = new CacheGeometry(config.shape(), config.cache());
    Footprint footprint = named.provider.footprint(geometry);
    return Capacity.of(geometry, config.cache(), footprint).allocatedBytes();
  }

  /** The page order of that name, if an engine here writes it for this geometry. */
  static Optional<PageFormat> pageFormat(String name, CacheGeometry geometry) {
    return candidates().stream()
        .map(Candidate::provider)
        .filter(Objects::nonNull)
        .flatMap(provider -> pageFormat(provider, geometry).stream())
        .filter(format -> format.name().equals(name))
        .findFirst();
  }

  private static Optional<PageFormat> pageFormat(EngineProvider provider, CacheGeometry geometry) {
    try {
      return Optional.of(provider.pageFormat(geometry));
    } catch (InvalidArgumentException | LinkageError e) {
      // Such an engine has written no page of this geometry.
      return Optional.empty();
    }
  }

  private static Candidate named(List<Candidate> candidates, String name) {
    List<String> names = candidates.stream().map(c -> c.status.name()).toList();
    require(names.contains(name), "engine=%s, expected auto or one of %s", name, names);
    return candidates.get(names.indexOf(name));
  }

  private static EngineStatus chosen(EngineStatus status, String why) {
    String reason = status.reason().isEmpty() ? why : why + "; " + status.reason();
    return new EngineStatus(status.name(), true, status.description(), reason, status.remedy());
  }

  /**
   * An engine that was found.
   *
   * @param provider null if it could not be loaded
   * @param status result of its probe, not available if that threw
   */
  private record Candidate(EngineProvider provider, EngineStatus status, int priority) {}

  /** What is on the module and class path, best first. An engine that cannot be loaded is last. */
  private static List<Candidate> candidates() {
    List<Candidate> found = new ArrayList<>();
    Iterator<EngineProvider> all =
        ServiceLoader.load(EngineProvider.class, AttentionBackends.class.getClassLoader())
            .iterator();
    for (int failures = 0; failures < MAX_UNLOADABLE; ) {
      try {
        if (!all.hasNext()) {
          break;
        }
        found.add(probe(all.next()));
      } catch (ServiceConfigurationError | LinkageError | RuntimeException e) {
        failures++;
        found.add(unusable(null, "unknown", e, Integer.MIN_VALUE));
      }
    }
    found.sort(Comparator.comparingInt(Candidate::priority).reversed());
    return found;
  }

  private static Candidate probe(EngineProvider provider) {
    String name = provider.name();
    try {
      return new Candidate(provider, provider.probe(), provider.priority());
    } catch (RuntimeException | LinkageError e) {
      return unusable(provider, name, e, provider.priority());
    }
  }

  private static Candidate unusable(
      EngineProvider provider, String name, Throwable cause, int priority) {
    String reason = "it cannot be loaded: " + cause;
    return new Candidate(
        provider,
        new EngineStatus(name, false, "", reason, "check that all its libraries are present"),
        priority);
  }
}
