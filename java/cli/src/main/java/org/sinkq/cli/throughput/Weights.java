package org.sinkq.cli.throughput;

import java.nio.file.Path;
import java.util.Set;
import org.sinkq.AttentionBackend;
import org.sinkq.cli.plan.DecoderShape;
import org.sinkq.llm.DecodeLoop;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.LlamaSize;
import org.sinkq.llm.RandomModel;
import org.sinkq.llm.StepPart;

/**
 * The weights of a run, random ones of a size or those of a file. They are brought to the device
 * once, and move from one cache's backend to the next.
 */
public final class Weights implements AutoCloseable {
  private static final long SEED = 2505_10938;

  private final AttentionBackend home;
  private final LanguageModel file;
  private final RandomModel random;

  private Weights(AttentionBackend home, LanguageModel file, RandomModel random) {
    this.home = home;
    this.file = file;
    this.random = random;
  }

  /**
   * Makes random weights on the device. A shape without a vocabulary gets one of a single token.
   *
   * @param longest tokens that a sequence can have
   * @param engine whose device it is
   */
  public static Weights random(DecoderShape shape, int longest, String engine) {
    LlamaSize size =
        new LlamaSize(
            shape.attention(),
            shape.width(),
            shape.feedForward(),
            Math.max(1, shape.vocabulary()),
            longest);
    AttentionBackend home = Target.smallest(shape.attention(), engine);
    boolean done = false;
    try {
      RandomModel random = RandomModel.open(size, SEED, home);
      done = true;
      return new Weights(home, null, random);
    } finally {
      if (!done) {
        home.close();
      }
    }
  }

  /** Sends the weights of a file to the device. */
  public static Weights of(Path gguf, String engine) {
    LanguageModel file = LanguageModel.open(gguf, 0);
    AttentionBackend home = null;
    boolean done = false;
    try {
      home = Target.smallest(file.attentionShape(), engine);
      file.moveTo(home);
      done = true;
      return new Weights(home, file, null);
    } finally {
      if (!done) {
        file.close();
        if (home != null) {
          home.close();
        }
      }
    }
  }

  /** Steps take place on this backend from now on. */
  void moveTo(AttentionBackend backend) {
    if (file != null) {
      file.moveTo(backend);
    } else {
      random.moveTo(backend);
    }
  }

  /**
   * Steps of up to {@code batch} sequences, or parts of them.
   *
   * @param backend the one of {@link #moveTo}
   */
  DecodeLoop loop(AttentionBackend backend, int batch, Set<StepPart> parts) {
    return file != null ? file.decodeLoop(backend, batch, parts) : random.decodeLoop(batch, parts);
  }

  @Override
  public void close() {
    if (file != null) {
      file.close();
    } else {
      random.close();
    }
    home.close();
  }
}
