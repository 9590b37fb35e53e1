package org.sinkq.langchain4j;

import static org.sinkq.InvalidArgumentException.require;

import com.github.tjake.jlama.safetensors.DType;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.nio.file.Path;
import java.util.List;
import org.sinkq.KvCacheSpec;
import org.sinkq.jlama.SinkqModel;
import org.sinkq.jlama.SinkqModelBuilder;
import org.sinkq.jlama.SinkqModelSupport;

/**
 * Settings that both chat models have, in the style of LangChain4j's builders: null is the default.
 *
 * @param <B> the builder itself
 */
public abstract class ModelSettings<B extends ModelSettings<B>> {
  private static final double DEFAULT_TEMPERATURE = 0.7;
  private static final int DEFAULT_MAX_TOKENS = 256;
  private static final int DEFAULT_IDLE_SESSIONS = 4;

  private Path modelPath;
  private SinkqModel model;
  private KvCacheSpec cache;
  private DType workingQuantizedType;
  private DType quantizeModelAtRuntime;
  private Integer threadCount;
  private Integer idleSessions;
  private Double temperature;
  private Integer maxTokens;
  private List<ChatModelListener> listeners = List.of();

  ModelSettings() {}

  abstract B self();

  /** Folder of a Jlama model; {@code sinkq models convert} makes one. It is closed with this. */
  public B modelPath(Path folder) {
    modelPath = folder;
    return self();
  }

  /** A model that is open already and may be shared; its owner closes it. */
  public B model(SinkqModel open) {
    model = open;
    return self();
  }

  /** Size and format of the cache; by default 8 conversations of 4,096 tokens in 2 bits. */
  public B cache(KvCacheSpec spec) {
    cache = spec;
    return self();
  }

  /** Jlama's element type of activations in products; I8 by default. */
  public B workingQuantizedType(DType type) {
    workingQuantizedType = type;
    return self();
  }

  /** Element type that Jlama quantizes the weights to while it loads them; none by default. */
  public B quantizeModelAtRuntime(DType type) {
    quantizeModelAtRuntime = type;
    return self();
  }

  /** Threads of Jlama and of the attention engine. */
  public B threadCount(Integer count) {
    threadCount = count;
    return self();
  }

  /** Conversations whose cache is kept for their next message; 4 by default. */
  public B idleSessions(Integer count) {
    idleSessions = count;
    return self();
  }

  /** Randomness of the choice of tokens; 0 takes the likeliest, 0.7 is the default. */
  public B temperature(Double value) {
    temperature = value;
    return self();
  }

  /** Tokens of an answer at most; 256 by default. */
  public B maxTokens(Integer count) {
    maxTokens = count;
    return self();
  }

  /** Listeners of requests, responses and errors. */
  public B listeners(List<ChatModelListener> all) {
    listeners = List.copyOf(all);
    return self();
  }

  boolean ownsModel() {
    return model == null;
  }

  List<ChatModelListener> listeners() {
    return listeners;
  }

  /** The defaults of requests. */
  ChatRequestParameters parameters() {
    double t = temperature == null ? DEFAULT_TEMPERATURE : temperature;
    int n = maxTokens == null ? DEFAULT_MAX_TOKENS : maxTokens;
    require(t >= 0 && t <= 100, "temperature=%s, expected 0 to 100", t);
    require(n > 0, "maxTokens=%d, expected 1 or more", n);
    return ChatRequestParameters.builder().temperature(t).maxOutputTokens(n).build();
  }

  SinkqModel open() {
    require(
        (model == null) != (modelPath == null),
        "modelPath=%s, model=%s, expected exactly one of them",
        modelPath,
        model == null ? "null" : "given");
    if (model != null) {
      return model;
    }
    SinkqModelBuilder builder =
        SinkqModelSupport.builder(modelPath.toFile())
            .workingTypes(DType.F32, workingQuantizedType == null ? DType.I8 : workingQuantizedType)
            .idleSessions(idleSessions == null ? DEFAULT_IDLE_SESSIONS : idleSessions);
    if (cache != null) {
      builder.cache(cache);
    }
    if (quantizeModelAtRuntime != null) {
      builder.modelQuantization(quantizeModelAtRuntime);
    }
    if (threadCount != null) {
      builder.threads(threadCount);
    }
    return builder.load();
  }
}
