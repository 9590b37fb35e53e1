package org.sinkq.contract;

import org.junit.jupiter.api.Nested;

/**
 * What every engine has to fulfil. An engine's module extends this with one class that names the
 * engine, and {@link ScriptContract} with another one.
 */
public abstract class EngineContract {
  /** Name of the engine. */
  protected abstract String engine();

  @Nested
  class Bits extends BitsContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Append extends AppendContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Attention extends AttentionContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Batch extends BatchContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Sequence extends SequenceContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Saved extends SavedContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Failure extends FailureContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }

  @Nested
  class Stats extends StatsContract {
    @Override
    protected String engine() {
      return EngineContract.this.engine();
    }
  }
}
