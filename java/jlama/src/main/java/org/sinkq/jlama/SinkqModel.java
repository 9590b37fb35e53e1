package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import com.github.tjake.jlama.model.CausalSelfAttention;
import com.github.tjake.jlama.model.MLPBlock;
import com.github.tjake.jlama.model.ModelSupport.ModelType;
import com.github.tjake.jlama.model.RMSNorm;
import com.github.tjake.jlama.model.TransformerBlock;
import com.github.tjake.jlama.model.llama.LlamaModel;
import com.github.tjake.jlama.model.qwen2.Qwen2Config;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.WeightLoader;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.github.tjake.jlama.safetensors.tokenizer.Tokenizer;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache.KvBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendStats;

/**
 * A Llama, Mistral or Qwen2 model of Jlama's whose attention and KV cache are SinkQ's. Opened with
 * {@link SinkqModelSupport}.
 *
 * <p>Unlike Jlama's own models it may be used by several threads: conversations take turns step by
 * step. A prompt is the whole conversation, as Jlama's chat templates render it, also where a
 * session is used again: what it has in common with the session's last text is not computed anew if
 * idle sessions are kept ({@link SinkqModelBuilder#idleSessions}), and is otherwise. A generation
 * that fails, is interrupted or is cancelled gives its part of the cache back.
 */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
public final class SinkqModel extends LlamaModel {
  private final ModelType type;
  private final AttentionBackend backend;
  private final Conversations conversations;
  private final RotaryEmbedding rope;
  private final HandleCache handles;
  // Jlama's feed-forward blocks keep their intermediate tensors in fields, so steps take turns.
  private final ReentrantLock steps = new ReentrantLock(true);

  /** What Jlama's models are made of, and what is ours. */
  record Parts(
      ModelType type,
      Config config,
      WeightLoader weights,
      Tokenizer tokenizer,
      DType workingType,
      DType workingQuantization,
      Optional<DType> modelQuantization,
      AttentionBackend backend,
      int idleSessions) {}

  SinkqModel(Parts parts) {
    super(
        parts.config,
        parts.weights,
        parts.tokenizer,
        parts.workingType,
        parts.workingQuantization,
        parts.modelQuantization);
    type = parts.type;
    backend = parts.backend;
    conversations = new Conversations(parts.backend, parts.idleSessions);
    rope = new RotaryEmbedding(parts.config.ropeFreqs.orElseThrow(), parts.config.headSize);
    handles = new HandleCache(this, conversations);
    kvBufferCache = handles;
  }

  @Override
  public ModelType getModelType() {
    return type;
  }

  /** Use of the cache: pages, bytes, sinks. */
  public BackendStats stats() {
    return backend.stats();
  }

  /** The backend, for its settings and its engine; it is closed with the model. */
  public AttentionBackend backend() {
    return backend;
  }

  /**
   * Generates as Jlama does.
   *
   * @param session a name; of two generations at a time, each needs its own
   * @param ntokens length of prompt and answer together, as in Jlama
   * @throws org.sinkq.InvalidArgumentException if the prompt does not fit, or the session is
   *     generating
   * @throws org.sinkq.CapacityExhaustedException if the cache is full
   * @throws java.util.concurrent.CancellationException if {@link #cancel} was called or the thread
   *     was interrupted
   */
  @Override
  public Response generate(
      UUID session,
      PromptContext prompt,
      float temperature,
      int ntokens,
      BiConsumer<String, Float> listener) {
    conversations.requireOpen();
    int[] tokens = encodePrompt(prompt);
    checkPrompt(tokens.length, ntokens);
    return generate(conversations.begin(session), tokens, prompt, temperature, ntokens, listener);
  }

  /**
   * Generates in a session of the model's choice: the idle one that has most in common with the
   * prompt, or a new one. For callers that have no name for a conversation.
   *
   * @param ntokens length of prompt and answer together
   * @throws org.sinkq.InvalidArgumentException if the prompt does not fit
   * @throws org.sinkq.CapacityExhaustedException if the cache is full
   * @throws java.util.concurrent.CancellationException if the thread was interrupted
   */
  public Response generate(
      PromptContext prompt, float temperature, int ntokens, BiConsumer<String, Float> listener) {
    conversations.requireOpen();
    int[] tokens = encodePrompt(prompt);
    checkPrompt(tokens.length, ntokens);
    return generate(conversations.begin(tokens), tokens, prompt, temperature, ntokens, listener);
  }

  private Response generate(
      Conversation conversation,
      int[] tokens,
      PromptContext prompt,
      float temperature,
      int ntokens,
      BiConsumer<String, Float> listener) {
    boolean succeeded = false;
    try {
      conversation.keepPrefixOf(tokens);
      Response response =
          super.generate(
              conversation.session(),
              prompt,
              temperature,
              ntokens,
              (text, millis) -> tell(conversation, listener, text, millis));
      conversation.checkAlive();
      succeeded = true;
      return response;
    } finally {
      conversations.end(conversation, succeeded);
    }
  }

  private void checkPrompt(int tokens, int ntokens) {
    require(tokens > 0, "prompt of 0 tokens, expected 1 or more");
    require(
        tokens <= c.contextLength,
        "prompt of %d tokens, expected at most %d, the model's context",
        tokens,
        c.contextLength);
    require(
        tokens <= ntokens,
        "prompt of %d tokens, expected at most ntokens=%d, which counts prompt and answer",
        tokens,
        ntokens);
    int page = backend.config().cache().pageTokens();
    long window = backend.config().cache().windowTokens() + page - 1L;
    long capacity = (long) backend.stats().maxPages() * page + window;
    require(
        tokens <= capacity,
        "prompt of %d tokens, expected at most %d, what the whole cache holds",
        tokens,
        capacity);
  }

  /** Jlama logs what a listener throws and goes on; here it ends the generation. */
  private static void tell(
      Conversation conversation, BiConsumer<String, Float> listener, String text, float millis) {
    try {
      listener.accept(text, millis);
    } catch (RuntimeException e) {
      conversation.fail(e);
    }
  }

  /** Asks a running generation to end before its next token; false if there is none. */
  public boolean cancel(UUID session) {
    return conversations.cancel(session);
  }

  /** Gives back the cache of an idle session. Does nothing if there is none. */
  public void release(UUID session) {
    conversations.release(session);
  }

  /** Gives back the cache behind a buffer that the caller made, before it is garbage. */
  public void release(KvBuffer buffer) {
    conversations.release(buffer);
  }

  @Override
  public float[] embed(String input, PoolingType pooling) {
    try {
      return super.embed(input, pooling);
    } finally {
      handles.releaseEphemeral();
    }
  }

  @Override
  public AbstractTensor batchForward(
      int[] tokens,
      int startPosition,
      KvBuffer buffer,
      Optional<Consumer<List<AbstractTensor>>> reducer) {
    checkContext(startPosition, tokens.length);
    Conversation conversation = conversations.of(buffer);
    int reused = conversation.takeReused();
    conversation.announce(startPosition, tokens);
    int[] rest = reused == 0 ? tokens : Arrays.copyOfRange(tokens, reused, tokens.length);
    return super.batchForward(rest, startPosition + reused, buffer, reducer);
  }

  @Override
  public AbstractTensor forward(
      int token, int position, KvBuffer buffer, Optional<Consumer<List<AbstractTensor>>> reducer) {
    checkContext(position, 1);
    conversations.of(buffer).announce(position, token);
    return super.forward(token, position, buffer, reducer);
  }

  /** Runs one step through all layers; if anything fails, the cache is as it was before. */
  @Override
  public AbstractTensor forward(
      AbstractTensor embedding,
      int startPosition,
      KvBuffer buffer,
      Optional<Consumer<List<AbstractTensor>>> reducer) {
    int rows = embedding.shape().first();
    checkContext(startPosition, rows);
    Conversation conversation = conversations.of(buffer);
    steps.lock();
    try {
      conversation.checkAlive();
      conversation.rewind(startPosition);
      AttentionMetadata step = AttentionMetadata.single(conversation.sequence(), rows);
      try (AttentionPlan plan = conversations.withRoom(() -> backend.plan(step))) {
        conversation.plan(plan);
        AbstractTensor result = super.forward(embedding, startPosition, buffer, reducer);
        plan.commit();
        return result;
      } finally {
        conversation.plan(null);
      }
    } finally {
      steps.unlock();
    }
  }

  private void checkContext(int startPosition, int rows) {
    require(
        startPosition >= 0 && rows <= c.contextLength - startPosition,
        "%d tokens from position=%d, expected at most %d in all, the model's context",
        rows,
        startPosition,
        c.contextLength);
  }

  @Override
  protected TransformerBlock[] loadTransformerBlockWeights() {
    DType stored = modelQType.orElse(modelDType);
    return IntStream.range(0, c.numberOfLayers)
        .parallel()
        .mapToObj(layer -> loadBlock(layer, stored))
        .toArray(TransformerBlock[]::new);
  }

  private TransformerBlock loadBlock(int layer, DType stored) {
    String base = "model.layers." + layer + ".";
    MLPBlock feedForward =
        new MLPBlock(
            this,
            c.activationFunction,
            load(base + "mlp.gate_proj.weight", stored),
            load(base + "mlp.down_proj.weight", stored),
            load(base + "mlp.up_proj.weight", stored));
    return new TransformerBlock(
        this,
        layer,
        new RMSNorm(this, load(base + "input_layernorm.weight", stored)),
        loadAttention(layer, base + "self_attn.", stored),
        new RMSNorm(this, load(base + "post_attention_layernorm.weight", stored)),
        feedForward);
  }

  private CausalSelfAttention loadAttention(int layer, String base, DType stored) {
    SinkqAttention.Bias bias =
        c instanceof Qwen2Config // The type is not set yet: Jlama loads in its constructor.
            ? new SinkqAttention.Bias(
                load(base + "q_proj.bias", stored),
                load(base + "k_proj.bias", stored),
                load(base + "v_proj.bias", stored))
            : null;
    return new SinkqAttention(
        this,
        layer,
        new SinkqAttention.Weights(
            load(base + "q_proj.weight", stored),
            load(base + "k_proj.weight", stored),
            load(base + "v_proj.weight", stored),
            bias,
            load(base + "o_proj.weight", stored)));
  }

  private AbstractTensor load(String name, DType stored) {
    return weights.load(name).quantize(stored);
  }

  Conversations conversations() {
    return conversations;
  }

  RotaryEmbedding rope() {
    return rope;
  }

  /** Jlama's choice of element type for the left side of a product. */
  AbstractTensor quantizeForProduct(AbstractTensor tensor) {
    return maybeQuantize(tensor);
  }

  /**
   * Closes the model and its cache. Does nothing the second time.
   *
   * @throws org.sinkq.InvalidArgumentException if a generation is running; nothing is closed
   */
  @Override
  public void close() {
    conversations.close();
    super.close();
    backend.close();
  }
}
