package org.sinkq.cuda.ptx;

import java.util.HashMap;
import java.util.Map;

/** The global and constant variables of a loaded module. */
final class ModuleMemory {
  private final Map<PtxVariable, Long> addresses = new HashMap<>();
  private final DeviceMemory memory;

  /** Allocates and initialises the variables; what has no initialiser is zero. */
  ModuleMemory(PtxModule module, DeviceMemory memory) {
    this.memory = memory;
    module.variables().forEach(this::add);
    module.functions().values().forEach(f -> f.variables().forEach(this::add));
  }

  private void add(PtxVariable variable) {
    if (!variable.space().equals("global") && !variable.space().equals("const")) {
      return;
    }
    DeviceMemory.Allocation allocation =
        memory.allocate(variable.bytes(), variable.name(), variable.space().equals("const"));
    if (variable.initial() != null) {
      System.arraycopy(variable.initial(), 0, allocation.data, 0, variable.initial().length);
    }
    allocation.init.set(0, variable.bytes(), true);
    addresses.put(variable, allocation.base);
  }

  long address(PtxVariable variable) {
    return addresses.get(variable);
  }

  void free() {
    addresses.values().forEach(memory::free);
    addresses.clear();
  }
}
