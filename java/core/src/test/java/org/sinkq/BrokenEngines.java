package org.sinkq;

import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.Footprint;
import org.sinkq.engine.PageFormat;
import org.sinkq.layout.CacheGeometry;

/** Engines that fail in every way there is; registered beside the real ones. */
public final class BrokenEngines {
  private BrokenEngines() {}

  /** An engine whose methods must not be reached. */
  public abstract static class Unusable implements EngineProvider {
    /** For subclasses. */
    protected Unusable() {}

    @Override
    public int priority() {
      return 1000;
    }

    @Override
    public Footprint footprint(CacheGeometry geometry) {
      return new Footprint(1, 1);
    }

    @Override
    public PageFormat pageFormat(CacheGeometry geometry) {
      throw new InvalidArgumentException("engine=broken, expected one that has pages");
    }

    @Override
    public Engine open(CacheMemory memory, int threads) {
      throw new AssertionError("opened an engine that cannot run");
    }
  }

  /** Its class does not initialize. */
  public static final class NotConstructed extends Unusable {
    /** Fails. */
    public NotConstructed() {
      throw new IllegalStateException("no constructor today");
    }

    @Override
    public String name() {
      return "not-constructed";
    }

    @Override
    public EngineStatus probe() {
      throw new AssertionError("probed an engine that does not exist");
    }
  }

  /** Its native library is missing. */
  public static final class NotLinked extends Unusable {
    /** For {@link java.util.ServiceLoader}. */
    public NotLinked() {}

    @Override
    public String name() {
      return "not-linked";
    }

    @Override
    public EngineStatus probe() {
      throw new NoClassDefFoundError("libmissing");
    }
  }

  /** It can run, but not for any cache that a test asks for. */
  public static final class Particular extends Unusable {
    /** For {@link java.util.ServiceLoader}. */
    public Particular() {}

    @Override
    public String name() {
      return "particular";
    }

    @Override
    public EngineStatus probe() {
      return new EngineStatus(name(), true, "", "", "");
    }

    @Override
    public Footprint footprint(CacheGeometry geometry) {
      throw new InvalidArgumentException("headDim=64, expected 65 for this engine");
    }
  }

  /** It knows that it cannot run. */
  public static final class NotHere extends Unusable {
    /** For {@link java.util.ServiceLoader}. */
    public NotHere() {}

    @Override
    public String name() {
      return "not-here";
    }

    @Override
    public EngineStatus probe() {
      return new EngineStatus(name(), false, "", "no such device", "buy one");
    }
  }
}
