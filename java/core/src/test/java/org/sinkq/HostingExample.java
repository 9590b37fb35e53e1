package org.sinkq;

import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;

/** A serving loop: continuous batching of many requests over one backend. */
final class HostingExample {
  /** The host's model, everything but attention. */
  interface Model {
    /** Runs every layer with {@code plan.run}; returns the likeliest token after each row. */
    int[] forward(AttentionPlan plan, int[] tokens);
  }

  /** What a model on a GPU calls in a layer: its fp16 rows stay where its own kernels put them. */
  static void attend(
      AttentionPlan plan, int layer, ModelShape s, int rows, long q, long k, long v, long out) {
    plan.run(
        layer,
        TensorView.ofDevice(q, DType.F16, rows, s.numQoHeads(), s.headDim()),
        TensorView.ofDevice(k, DType.F16, rows, s.numKvHeads(), s.headDim()),
        TensorView.ofDevice(v, DType.F16, rows, s.numKvHeads(), s.headDim()),
        TensorView.ofDevice(out, DType.F16, rows, s.numQoHeads(), s.headDim()));
  }

  /** What a user asked for. */
  static final class Request {
    final List<Integer> text; // prompt and answer so far
    final int length; // of the text when it is done
    final KvSequence prefix; // a prompt that many requests begin with, or null
    KvSequence sequence; // null while the request waits
    List<Integer> drafts = List.of(); // guesses at what follows the text

    Request(List<Integer> prompt, int answerTokens, KvSequence prefix) {
      text = new ArrayList<>(prompt);
      length = prompt.size() + answerTokens;
      this.prefix = prefix;
    }

    /** Tokens of the next step: a chunk of the prompt, or the last token and its drafts. */
    List<Integer> nextRows() {
      List<Integer> missing = text.subList(sequence.length(), text.size());
      boolean last = missing.size() <= CHUNK;
      drafts = last && missing.size() == 1 ? guess() : List.of();
      List<Integer> rows = new ArrayList<>(last ? missing : missing.subList(0, CHUNK));
      rows.addAll(drafts);
      return rows;
    }

    /** Prompt lookup: what followed the last token when it occurred before. */
    private List<Integer> guess() {
      int before = text.subList(0, text.size() - 1).lastIndexOf(text.getLast());
      int end = Math.min(before + 3, text.size());
      return before < 0 ? List.of() : List.copyOf(text.subList(before + 1, end));
    }
  }

  private static final int CHUNK = 96;

  private final AttentionBackend backend;
  private final Model model;
  private final Deque<Request> waiting = new ConcurrentLinkedDeque<>();
  private final List<Request> running = new ArrayList<>(); // oldest first
  int preempted;
  int accepted;
  int rejected;

  HostingExample(AttentionBackend backend, Model model) {
    this.backend = backend;
    this.model = model;
  }

  /** Any thread. */
  void submit(Request request) {
    waiting.add(request);
  }

  /** One thread drives the steps; it returns when nothing is left to do. */
  void serve() {
    while (!waiting.isEmpty() || !running.isEmpty()) {
      admit();
      step();
    }
  }

  /** Lets requests in while their text fits beside a page of growth for everyone. */
  private void admit() {
    int page = backend.config().cache().pageTokens();
    for (Request next = waiting.peek(); next != null; next = waiting.peek()) {
      BackendStats stats = backend.stats();
      int growth = running.size() + 1;
      boolean fits =
          stats.sequences() < stats.maxSequences()
              && stats.pages() + next.text.size() / page + growth <= stats.maxPages();
      if (!fits && !running.isEmpty()) {
        return;
      }
      next.sequence = next.prefix == null ? backend.newSequence() : next.prefix.fork();
      running.add(waiting.remove());
    }
  }

  /** Prefill chunks and decode rows of all running requests, in one plan. */
  private void step() {
    List<KvSequence> sequences = new ArrayList<>();
    List<Integer> tokens = new ArrayList<>();
    int[] qoIndptr = new int[running.size() + 1];
    for (int i = 0; i < running.size(); i++) {
      sequences.add(running.get(i).sequence);
      tokens.addAll(running.get(i).nextRows());
      qoIndptr[i + 1] = tokens.size();
    }
    try (AttentionPlan plan = backend.plan(new AttentionMetadata(sequences, qoIndptr))) {
      int[] next = model.forward(plan, tokens.stream().mapToInt(t -> t).toArray());
      plan.commit(); // what throws before rolls the whole step back
      for (int i = 0; i < running.size(); i++) {
        extend(running.get(i), next, qoIndptr[i + 1]);
      }
    } catch (CapacityExhaustedException e) {
      preempt(e);
    }
    for (Iterator<Request> all = running.iterator(); all.hasNext(); ) {
      Request request = all.next();
      if (request.text.size() >= request.length) {
        request.sequence.close();
        all.remove();
      }
    }
  }

  /** Takes the predicted token, and those that confirm a draft; rolls the other drafts back. */
  private void extend(Request request, int[] next, int endRow) {
    if (request.sequence.length() < request.text.size()) {
      return; // more of the prompt to come
    }
    int drafts = request.drafts.size();
    int row = endRow - 1 - drafts;
    int confirmed = 0;
    request.text.add(next[row]);
    while (confirmed < drafts && request.drafts.get(confirmed) == next[row + confirmed]) {
      confirmed++;
      request.text.add(next[row + confirmed]);
    }
    accepted += confirmed;
    rejected += drafts - confirmed;
    request.sequence.truncate(request.sequence.length() - (drafts - confirmed));
  }

  /**
   * Frees the youngest request, which is computed anew when there is room, and lets others go on.
   */
  private void preempt(CapacityExhaustedException full) {
    if (running.size() == 1) {
      throw full; // alone and still too long: no waiting will help
    }
    Request youngest = running.removeLast();
    youngest.sequence.close();
    waiting.addFirst(youngest);
    preempted++;
  }
}
