package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.sinkq.engine.EngineProvider;
import org.sinkq.layout.CacheGeometry;

/** Finds engines and opens backends. */
public final class AttentionBackends {
  private AttentionBackends() {}

  /**
   * What every engine on the module or class path has to say about this machine, best first. Never
   * throws.
   */
  public static List<EngineStatus> probe() {
    return providers().stream().map(EngineProvider::probe).toList();
  }

  /**
   * Opens a backend. An engine asked for by name is used or refused; {@link BackendConfig#AUTO}
   * takes the best that can run here, and the status of the backend's engine tells why.
   *
   * @throws EngineUnavailableException if the engine asked for, or every engine, cannot run here
   * @throws InvalidArgumentException if the name is unknown or the capacity is too small for one
   *     page
   * @throws DeviceException if the memory cannot be had
   */
  public static AttentionBackend open(BackendConfig config) {
    List<EngineProvider> providers = providers();
    String wanted = config.engine();
    if (!BackendConfig.AUTO.equals(wanted)) {
      List<String> names = providers.stream().map(EngineProvider::name).toList();
      require(names.contains(wanted), "engine=%s, expected auto or one of %s", wanted, names);
      EngineProvider provider = providers.get(names.indexOf(wanted));
      EngineStatus status = provider.probe();
      if (!status.available()) {
        throw new EngineUnavailableException(status);
      }
      return EngineBackend.open(config, provider, chosen(status, "asked for by name"));
    }
    List<String> passedOver = new ArrayList<>();
    EngineStatus last =
        new EngineStatus("auto", false, "", "no engine found", "put an engine on the module path");
    for (EngineProvider provider : providers) {
      EngineStatus status = provider.probe();
      if (status.available()) {
        String why =
            passedOver.isEmpty()
                ? "the best engine here"
                : "passed over " + String.join("; ", passedOver);
        return EngineBackend.open(config, provider, chosen(status, why));
      }
      passedOver.add(status.name() + ": " + status.reason() + " (" + status.remedy() + ")");
      last = status;
    }
    throw new EngineUnavailableException(last);
  }

  /**
   * Bytes that a backend of this configuration allocates, without opening it: pages, dense rows and
   * index tables.
   */
  public static long requiredBytes(BackendConfig config, String engine) {
    EngineProvider provider =
        providers().stream()
            .filter(p -> p.name().equals(engine))
            .findFirst()
            .orElseThrow(
                () ->
                    new InvalidArgumentException("engine=" + engine + ", expected a known engine"));
    CacheGeometry geometry = new CacheGeometry(config.shape(), config.cache());
    return Capacity.of(geometry, config.cache(), provider.footprint(geometry)).allocatedBytes();
  }

  private static EngineStatus chosen(EngineStatus status, String why) {
    String reason = status.reason().isEmpty() ? why : why + "; " + status.reason();
    return new EngineStatus(status.name(), true, status.description(), reason, status.remedy());
  }

  private static List<EngineProvider> providers() {
    List<EngineProvider> found = new ArrayList<>();
    ServiceLoader.load(EngineProvider.class, AttentionBackends.class.getClassLoader())
        .forEach(found::add);
    found.sort(Comparator.comparingInt(EngineProvider::priority).reversed());
    return found;
  }
}
