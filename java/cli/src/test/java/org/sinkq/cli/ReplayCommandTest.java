package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.cli.replay.TraceFiles;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;

final class ReplayCommandTest {
  private static final String LINE = System.lineSeparator();

  @TempDir Path temp;
  private Path in;
  private Path out;

  @BeforeEach
  void setUp() {
    in = temp.resolve("in.safetensors");
    out = temp.resolve("out.safetensors");
  }

  @Test
  void theSummaryGoesToStdoutAndTheResultToTheFile() throws IOException {
    TraceFiles.random(1, 200, 4, 2, 64).write(in);
    Cli run = Cli.run("replay", in.toString(), out.toString(), "--page=32", "--prompt=150");
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(
        "trace   200 tokens (150 as the prompt), 4 query and 2 KV heads, D = 64", lines.get(0));
    assertEquals("cache   sinkq2: 2 bit, page 32, window 32, pool 3, spill 32", lines.get(1));
    assertTrue(lines.get(2).matches("memory  .* KiB, fp16 would take 100.0 KiB: ratio .*"));
    assertTrue(lines.get(3).matches("error   relative .*e-01, max .* against the fp16 cache"));
    assertTrue(lines.get(4).startsWith("sinks   6 tokens in pools, "), lines.get(4));
    assertEquals("wrote   " + out, lines.get(6));
    assertTrue(Files.exists(out));
  }

  @Test
  void jsonIsTheOnlyLineOnStdout() throws IOException {
    TraceFiles.random(1, 100, 4, 2, 64).write(in);
    Cli run = Cli.run("replay", in.toString(), out.toString(), "--kv=kivi2", "--json");
    assertEquals(0, run.code(), run.err());
    assertEquals(1, run.out().lines().count());
    assertTrue(
        run.out()
            .startsWith(
                "{\"tokens\":100,\"promptTokens\":0,\"qoHeads\":4,\"kvHeads\":2,\"headDim\":64,"
                    + "\"engine\":\"cpu\",\"kv\":\"kivi2\",\"page\":128,\"window\":128,\"pool\":0,"
                    + "\"spill\":0,\"cacheBytes\":"),
        run.out());
    assertTrue(run.out().contains("\"fp16Bytes\":51200,"), run.out());
  }

  @Test
  void anFp16CacheHasNoError() throws IOException {
    TraceFiles.random(1, 200, 4, 2, 64).write(in);
    Cli run = Cli.run("replay", in.toString(), out.toString(), "--kv=fp16", "--json");
    assertTrue(run.out().contains("\"relativeError\":0.0,\"maxError\":0.0,"), run.out());
  }

  @Test
  void fewerTokensThanAPageHaveNoError() throws IOException {
    TraceFiles.random(1, 100, 4, 2, 64).write(in);
    Cli run = Cli.run("replay", in.toString(), out.toString(), "--json");
    assertTrue(run.out().contains("\"relativeError\":0.0,\"maxError\":0.0,"), run.out());
  }

  @Test
  void tensorsThatDoNotFitAreNamed() throws IOException {
    float[][][] q = new float[3][4][64];
    float[][][] kv = new float[3][2][64];
    Tensor k = TraceFiles.f32("k", kv);
    Tensor v = TraceFiles.f32("v", kv);
    refuse("tensor 'q' is missing, found k, v", k, v);
    refuse(
        "q is I32 [2, 1, 1], expected F32, F16 or BF16",
        Tensor.of("q", "I32", MemorySegment.ofArray(new int[2]), 2, 1, 1),
        k,
        v);
    refuse(
        "q is F32 [2, 3], expected [tokens, heads, head dimension], none of them 0",
        Tensor.of("q", "F32", MemorySegment.ofArray(new float[6]), 2, 3),
        k,
        v);
    refuse(
        "q is F32 [0, 4, 64], expected [tokens, heads, head dimension], none of them 0",
        Tensor.of("q", "F32", MemorySegment.ofArray(new float[0]), 0, 4, 64),
        k,
        v);
    refuse(
        "k is [3, 2, 64] and q is [2, 4, 64], expected as many tokens and the same head dimension",
        TraceFiles.f32("q", new float[2][4][64]),
        k,
        v);
    refuse(
        "v is [3, 1, 64] and k is [3, 2, 64], expected the same shape",
        TraceFiles.f32("q", q),
        k,
        TraceFiles.f32("v", new float[3][1][64]));
    refuse(
        "numQoHeads=3, expected a positive multiple of numKvHeads=2",
        TraceFiles.f32("q", new float[3][3][64]),
        k,
        v);
    refuse(
        "headDim=8, expected one of 64, 80, 96, 128, 192, 256",
        TraceFiles.f32("q", new float[3][2][8]),
        TraceFiles.f32("k", new float[3][2][8]),
        TraceFiles.f32("v", new float[3][2][8]));
    q[1][3][5] = Float.NaN;
    refuse(
        "q=NaN at position 1, head 3, channel 5, expected a finite number",
        TraceFiles.f32("q", q),
        k,
        v);
  }

  private void refuse(String problem, Tensor... tensors) throws IOException {
    SafetensorsWriter.write(in, Arrays.asList(tensors));
    refuse("sinkq: " + in + ": " + problem);
  }

  private void refuse(String line) {
    Cli run = Cli.run("replay", in.toString(), out.toString());
    assertEquals(line + LINE, run.err());
    assertEquals(1, run.code());
    assertEquals("", run.out());
    assertFalse(Files.exists(out));
  }

  @Test
  void aTruncatedTraceIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(TraceFiles.random(1, 10, 2, 1, 64).write(in));
    Files.write(in, Arrays.copyOf(whole, whole.length - 1));
    Cli run = Cli.run("replay", in.toString(), out.toString());
    assertEquals(1, run.code());
    assertTrue(run.err().contains("; the file may be truncated"), run.err());
  }

  @Test
  void aKeyThatCannotBeStoredLeavesAnExistingResultAlone() throws IOException {
    TraceFiles trace = TraceFiles.random(1, 50, 4, 2, 64);
    trace.v()[40][1][3] = Float.POSITIVE_INFINITY;
    trace.write(in);
    Files.writeString(out, "old");
    Cli run = Cli.run("replay", in.toString(), out.toString());
    assertEquals(1, run.code());
    assertEquals(
        "sinkq: value=Infinity at layer 0, head 1, position 40, channel 3, expected a finite number"
            + " within the fp16 range"
            + LINE,
        run.err());
    assertEquals("old", Files.readString(out));
    try (Stream<Path> files = Files.list(temp)) {
      assertEquals(2, files.count());
    }
  }

  @Test
  void aPromptLongerThanTheTraceIsMisuse() throws IOException {
    TraceFiles.random(1, 10, 2, 1, 64).write(in);
    Cli run = Cli.run("replay", in.toString(), out.toString(), "--prompt=11");
    assertEquals(
        "sinkq: --prompt=11, expected 0 to the 10 tokens of "
            + in
            + "; see 'sinkq replay --help'"
            + LINE,
        run.err());
    assertEquals(2, run.code());
  }

  @Test
  void aPlaceThatCannotTakeTheResultIsFoundFirst() throws IOException {
    TraceFiles.random(1, 10, 2, 1, 64).write(in);
    out = temp.resolve("absent/out");
    refuse("sinkq: " + out + ": no such folder, expected an existing one for OUT");
    Cli folder = Cli.run("replay", in.toString(), temp.toString());
    assertEquals(
        "sinkq: " + temp + ": is a folder, expected the name of a file for OUT" + LINE,
        folder.err());
    assertEquals(1, folder.code());
  }

  @Test
  void sinksArePaddedToARectangle() throws IOException {
    TraceFiles.random(5, 300, 2, 2, 64).write(in);
    Cli run =
        Cli.run("replay", in.toString(), out.toString(), "--page=32", "--window=0", "--pool=2");
    assertEquals(0, run.code(), run.err());
    int[][] sinks = ReplayOutput.read(out).sinks();
    for (int[] head : sinks) {
      assertEquals(sinks[0].length, head.length);
      int[] held = Arrays.stream(head).filter(p -> p >= 0).toArray();
      assertArrayEquals(Arrays.stream(held).sorted().distinct().toArray(), held);
      assertTrue(Arrays.stream(head).skip(held.length).allMatch(p -> p == -1));
      assertTrue(held.length >= 2);
    }
  }
}
