package example;

import java.nio.file.Path;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.jlama.SinkqModel;
import org.sinkq.jlama.SinkqModelSupport;
import org.sinkq.langchain4j.SinkqChatModel;

/** What an application does with each artifact. */
final class App {
  private App() {}

  /** Appends tokens and returns how many the cache holds. */
  static int append(int tokens) {
    ModelShape shape = ModelShape.of(1, 4, 2, 64);
    KvCacheSpec cache = KvCacheSpec.builder().capacityTokens(512).build();
    try (AttentionBackend backend = AttentionBackends.open(BackendConfig.of(shape, cache));
        KvSequence sequence = backend.newSequence()) {
      try (AttentionPlan step = backend.plan(AttentionMetadata.single(sequence, tokens))) {
        TensorView q = TensorView.of(new float[tokens * 256], tokens, 4, 64);
        TensorView k = TensorView.of(new float[tokens * 128], tokens, 2, 64);
        step.run(0, q, k, k, TensorView.of(new float[tokens * 256], tokens, 4, 64));
        step.commit();
      }
      return sequence.length();
    }
  }

  /** A Jlama model; fails for want of the folder. */
  static SinkqModel model(Path folder) {
    return SinkqModelSupport.builder(folder.toFile()).load();
  }

  /** A chat model; fails for want of the folder. */
  static SinkqChatModel chat(Path folder) {
    return SinkqChatModel.builder().modelPath(folder).build();
  }
}
