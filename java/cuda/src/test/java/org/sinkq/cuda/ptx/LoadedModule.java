package org.sinkq.cuda.ptx;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.sinkq.cuda.CudaDevice;

/**
 * A module on a device: its variables in memory, its entries decoded when somebody asks for them.
 */
final class LoadedModule implements CudaDevice.Module {
  private static final int PARSED_MODULES = 8;

  private static final Map<String, PtxModule> PARSED =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, PtxModule> eldest) {
          return size() > PARSED_MODULES;
        }
      };

  private final PtxModule source;
  private final ModuleMemory memory;
  private final Map<String, LoadedEntry> entries = new HashMap<>();

  private LoadedModule(PtxModule source, DeviceMemory memory) {
    this.source = source;
    this.memory = new ModuleMemory(source, memory);
  }

  static LoadedModule load(String ptx, DeviceMemory memory) {
    try {
      PtxModule source;
      synchronized (PARSED) {
        source = PARSED.computeIfAbsent(ptx, PtxParser::parse);
      }
      return new LoadedModule(source, memory);
    } catch (PtxSyntaxException e) {
      throw DeviceErrors.error(218, "CUDA_ERROR_INVALID_PTX", e.getMessage());
    }
  }

  LoadedEntry entry(String name) {
    PtxFunction function = source.functions().get(name);
    if (function == null || !function.entry()) {
      throw DeviceErrors.error(500, "CUDA_ERROR_NOT_FOUND", "finding entry '" + name + "'");
    }
    try {
      return entries.computeIfAbsent(
          name, n -> new LoadedEntry(Decoder.decode(source, n, memory), function.maxThreads()));
    } catch (PtxSyntaxException e) {
      throw DeviceErrors.error(218, "CUDA_ERROR_INVALID_PTX", name + ": " + e.getMessage());
    }
  }
}
