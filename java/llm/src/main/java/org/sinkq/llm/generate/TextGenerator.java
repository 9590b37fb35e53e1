package org.sinkq.llm.generate;

import static org.sinkq.InvalidArgumentException.require;

import java.util.Arrays;
import java.util.List;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.KvSequence;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.Logits;
import org.sinkq.llm.text.Tokenizer;

/**
 * Continues prompts with a model on an attention backend. Thread-safe; every generation has a
 * sequence of its own and closes it however it ends.
 */
public final class TextGenerator {
  /** The part of a {@link LanguageModel} that generating needs. */
  @FunctionalInterface
  interface ForwardPass {
    float[][] forward(
        AttentionBackend backend, AttentionMetadata metadata, int[] tokens, int[] logitRows);

    /** Appends a token and returns the most probable next one. */
    default int mostProbable(AttentionBackend backend, KvSequence sequence, int token) {
      return Logits.mostProbable(
          forward(backend, AttentionMetadata.single(sequence, 1), new int[] {token}, new int[] {0})[
              0]);
    }
  }

  private record Forward(LanguageModel model) implements ForwardPass {
    @Override
    public float[][] forward(
        AttentionBackend backend, AttentionMetadata metadata, int[] tokens, int[] logitRows) {
      return model.forward(backend, metadata, tokens, logitRows);
    }

    @Override
    public int mostProbable(AttentionBackend backend, KvSequence sequence, int token) {
      return model.mostProbable(backend, List.of(sequence), new int[] {token})[0];
    }
  }

  private final ForwardPass model;
  private final Tokenizer tokenizer;
  private final AttentionBackend backend;
  private final int vocabularySize;
  private final int contextLength;

  /**
   * Generates with a model.
   *
   * @param tokenizer the tokenizer of the model's file
   * @param backend opened for the model's shape
   * @throws org.sinkq.InvalidArgumentException if the tokenizer has fewer tokens than the model
   */
  public TextGenerator(LanguageModel model, Tokenizer tokenizer, AttentionBackend backend) {
    this(
        new Forward(model),
        model.info().vocabularySize(),
        model.info().contextLength(),
        tokenizer,
        backend);
  }

  TextGenerator(
      ForwardPass model,
      int vocabularySize,
      int modelContext,
      Tokenizer tokenizer,
      AttentionBackend backend) {
    require(
        tokenizer.vocabularySize() >= vocabularySize,
        "tokenizer's vocabularySize=%d, expected at least the model's, %d",
        tokenizer.vocabularySize(),
        vocabularySize);
    this.model = model;
    this.vocabularySize = vocabularySize;
    this.tokenizer = tokenizer;
    this.backend = backend;
    int cacheTokens = backend.config().cache().capacityTokens();
    contextLength = cacheTokens > 0 ? Math.min(modelContext, cacheTokens) : modelContext;
  }

  /**
   * Tokens that prompt and text can have together: the model's context, or the cache's capacity if
   * that is given in tokens and less.
   */
  public int contextLength() {
    return contextLength;
  }

  /**
   * Continues a text.
   *
   * @param prompt taken literally, with the special tokens around it that the model's file asks for
   * @see #generate(int[], GenerationOptions, GenerationListener)
   */
  public GenerationResult generate(
      String prompt, GenerationOptions options, GenerationListener listener) {
    return generate(tokenizer.encode(prompt, true), options, listener);
  }

  /**
   * Continues a prompt.
   *
   * @param prompt token ids, special tokens included
   * @throws org.sinkq.InvalidArgumentException if the prompt is empty, longer than {@link
   *     #contextLength()}, or has ids outside the vocabulary; nothing has been done then
   * @throws CapacityExhaustedException if the cache cannot take the prompt
   */
  public GenerationResult generate(
      int[] prompt, GenerationOptions options, GenerationListener listener) {
    check(prompt);
    try (KvSequence sequence = backend.newSequence()) {
      return new Run(sequence, prompt, options, listener).toEnd();
    }
  }

  private void check(int[] prompt) {
    require(prompt.length > 0, "prompt has 0 tokens, expected at least one");
    require(
        prompt.length <= contextLength,
        "prompt has %d tokens, expected at most %d: what the context holds",
        prompt.length,
        contextLength);
    for (int i = 0; i < prompt.length; i++) {
      require(
          prompt[i] >= 0 && prompt[i] < vocabularySize,
          "prompt[%d]=%d, expected 0 to %d",
          i,
          prompt[i],
          vocabularySize - 1);
    }
  }

  /** One generation. */
  private final class Run {
    private final KvSequence sequence;
    private final int[] prompt;
    private final GenerationOptions options;
    private final GenerationListener listener;
    private final Sampler sampler;
    private final TextOutput output;
    private double prefillSeconds;
    private int decodeSteps;

    Run(KvSequence sequence, int[] prompt, GenerationOptions options, GenerationListener listener) {
      this.sequence = sequence;
      this.prompt = prompt;
      this.options = options;
      this.listener = listener;
      sampler = new Sampler(options.sampling());
      output = new TextOutput(tokenizer.stream(), listener);
    }

    GenerationResult toEnd() {
      long start = System.nanoTime();
      float[] logits = prefill();
      prefillSeconds = secondsSince(start);
      start = System.nanoTime();
      StopReason reason = logits == null ? StopReason.STOP_REQUESTED : decode(logits);
      output.finish();
      return new GenerationResult(
          prompt.length,
          output.tokens(),
          output.text(),
          reason,
          prefillSeconds,
          secondsSince(start),
          decodeSteps,
          backend.stats());
    }

    /** Logits after the prompt, or null if a stop was requested before its end. */
    private float[] prefill() {
      float[] logits = null;
      for (int done = 0; done < prompt.length; ) {
        if (listener.isStopRequested()) {
          return null;
        }
        int rows = Math.min(options.prefillChunk(), prompt.length - done);
        int[] chunk = Arrays.copyOfRange(prompt, done, done + rows);
        done += rows;
        int[] wanted = done == prompt.length ? new int[] {rows - 1} : new int[0];
        float[][] result = forward(chunk, wanted);
        logits = wanted.length > 0 ? result[0] : null;
        listener.onPrefill(done, prompt.length);
      }
      return logits;
    }

    private StopReason decode(float[] logits) {
      if (listener.isStopRequested()) {
        return StopReason.STOP_REQUESTED;
      }
      int token = sampler.sample(logits);
      while (true) {
        if (tokenizer.isEndOfGeneration(token) && !options.ignoreEndOfGeneration()) {
          return StopReason.END_OF_GENERATION;
        }
        output.accept(token);
        if (output.count() == options.maxTokens()) {
          return StopReason.MAX_TOKENS;
        }
        if (sequence.length() == contextLength) {
          return StopReason.CONTEXT_FULL;
        }
        try {
          token = next(token);
        } catch (CapacityExhaustedException e) {
          return StopReason.CONTEXT_FULL; // A capacity in bytes tells only now.
        }
        decodeSteps++;
        if (listener.isStopRequested()) {
          return StopReason.STOP_REQUESTED;
        }
      }
    }

    /** Appends a token and chooses the one behind it. */
    private int next(int token) {
      return options.sampling().isGreedy()
          ? model.mostProbable(backend, sequence, token)
          : sampler.sample(forward(new int[] {token}, new int[] {0})[0]);
    }

    private float[][] forward(int[] tokens, int[] logitRows) {
      return model.forward(
          backend, AttentionMetadata.single(sequence, tokens.length), tokens, logitRows);
    }

    private double secondsSince(long start) {
      return (System.nanoTime() - start) * 1e-9;
    }
  }
}
