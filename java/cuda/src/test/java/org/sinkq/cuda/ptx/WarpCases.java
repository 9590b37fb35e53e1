package org.sinkq.cuda.ptx;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Programs of a whole warp or block: exchange, matrices, copies, divergence, atomics. */
final class WarpCases {
  private static final int LANES = 32;
  private static final String HIGH_ZERO = "mov.b32 %r22, 0; mov.b32 %r23, 0;\n";

  private final SplittableRandom random;
  private final List<PtxCase> cases;

  WarpCases(SplittableRandom random, List<PtxCase> cases) {
    this.random = random;
    this.cases = cases;
  }

  void add() {
    exchange();
    movmatrix();
    ldmatrix("");
    ldmatrix(".trans");
    mma("subnormals, exact", true);
    mma("normal numbers", false);
    mmaOfBytes("u8");
    mmaOfBytes("s8");
    copies();
    divergence();
    predicates();
    atomics();
  }

  /** The oldest target that the kernels are compiled for, so that every GPU takes the program. */
  static PtxLab.Program forAmpere(PtxLab.Program program) {
    String header = ".version 7.8\n.target sm_80\n.address_size 64\n";
    String ptx = program.ptx().replace(PtxLab.HEADER, header);
    return new PtxLab.Program(ptx, program.setup(), program.in(), program.out());
  }

  private void add(String name, PtxLab.Program program, long[] expected, PtxCase.Match match) {
    cases.add(new PtxCase(name, forAmpere(program), expected, match));
  }

  private int[] words() {
    return random.ints(LANES).toArray();
  }

  /** Result words, lane by lane, of the up to four registers that a lane stores. */
  private static long[] stored(int[]... registers) {
    long[] words = new long[4 * LANES];
    for (int lane = 0; lane < LANES; lane++) {
      for (int k = 0; k < registers.length; k++) {
        words[4 * lane + k] = registers[k][lane] & 0xffffffffL;
      }
    }
    return words;
  }

  private interface Source {
    int of(int lane);
  }

  private static int[] from(int[] x, Source source) {
    int[] result = new int[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      result[lane] = x[source.of(lane)];
    }
    return result;
  }

  private void exchange() {
    int[] x = words();
    int[] index = random.ints(LANES, 0, LANES).toArray();
    String body =
        """
        shfl.sync.bfly.b32 %r20, %r0, 5, 31, -1;
        shfl.sync.idx.b32 %r21, %r0, %r1, 31, -1;
        shfl.sync.up.b32 %r22, %r0, 3, 0, -1;
        shfl.sync.down.b32 %r23, %r0, 3, 6175, -1;
        """;
    long[] expected =
        stored(
            from(x, lane -> lane ^ 5),
            from(x, lane -> index[lane]),
            from(x, lane -> lane < 3 ? lane : lane - 3),
            from(x, lane -> lane % 8 + 3 > 7 ? lane : lane + 3));
    add("shfl", PtxLab.lanes(body, new int[][] {x, index}), expected, PtxCase.BITS);
    int ballot = 0;
    for (int lane = 0; lane < LANES; lane++) {
      ballot |= (x[lane] < 0 ? 1 : 0) << lane;
    }
    int[] ballots = new int[LANES];
    Arrays.fill(ballots, ballot);
    String votes =
        """
        setp.lt.s32 %p1, %r0, 0;
        vote.sync.ballot.b32 %r20, %p1, -1;
        vote.sync.all.pred %p2, %p1, -1;
        selp.b32 %r21, 1, 0, %p2;
        """
            + HIGH_ZERO;
    int[] none = new int[LANES];
    add("vote", PtxLab.lanes(votes, new int[][] {x}), stored(ballots, none), PtxCase.BITS);
  }

  /** Half of a word: an element of a matrix whose rows are lanes' words in fragment order. */
  private static int half(int word, int which) {
    return word >>> (16 * which) & 0xffff;
  }

  private void movmatrix() {
    int[] x = words();
    int[] transposed = new int[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      int column = lane / 4;
      int row = lane % 4 * 2;
      int low = half(x[row * 4 + column / 2], column % 2);
      int high = half(x[(row + 1) * 4 + column / 2], column % 2);
      transposed[lane] = low | high << 16;
    }
    String body = "movmatrix.sync.aligned.m8n8.trans.b16 %r20, %r0; mov.b32 %r21, 0;\n" + HIGH_ZERO;
    add("movmatrix", PtxLab.lanes(body, new int[][] {x}), stored(transposed), PtxCase.BITS);
  }

  /** Each lane stores a row of 8 halves; four tiles of 8 rows. */
  private void ldmatrix(String way) {
    int[][] rows = {words(), words(), words(), words()};
    int[][] expected = new int[4][LANES];
    for (int tile = 0; tile < 4; tile++) {
      for (int lane = 0; lane < LANES; lane++) {
        int first = tile * 8;
        if (way.isEmpty()) {
          expected[tile][lane] = rows[lane % 4][first + lane / 4];
        } else {
          int column = lane / 4;
          int row = first + lane % 4 * 2;
          int low = half(rows[column / 2][row], column % 2);
          expected[tile][lane] = low | half(rows[column / 2][row + 1], column % 2) << 16;
        }
      }
    }
    String body =
        """
        .shared .align 16 .b8 s[512];
        mov.u32 %r16, s;
        shl.b32 %r17, %t, 4;
        add.s32 %r17, %r16, %r17;
        st.shared.v4.b32 [%r17], {%r0, %r1, %r2, %r3};
        bar.warp.sync -1;
        """;
    String load =
        "ldmatrix.sync.aligned.m8n8.x4%s.shared.b16 {%%r20,%%r21,%%r22,%%r23}, [%%r17];\n"
            .formatted(way);
    add("ldmatrix" + way, PtxLab.lanes(body + load, rows), stored(expected), PtxCase.BITS);
  }

  /**
   * The matrix instruction of fp16 rows. PTX leaves the order and the precision of its sums open.
   * With subnormals times small whole numbers every order is exact; with normal numbers each sum
   * may lose a little of its largest term.
   */
  private void mma(String name, boolean exact) {
    int k = 16;
    float[][] a = new float[16][k];
    float[][] b = new float[k][8];
    for (float[][] matrix : List.of(a, b)) {
      for (float[] row : matrix) {
        for (int i = 0; i < row.length; i++) {
          float code = random.nextInt(4) * 0x1p-24f * (1 << (2 * random.nextInt(5)));
          float whole = random.nextInt(-8, 9);
          float number = Half.FP16.value(Half.FP16.round(random.nextGaussian()));
          row[i] = exact ? matrix == a ? code : whole : number;
        }
      }
    }
    int[][] registers = new int[12][LANES];
    long[] expected = new long[4 * LANES];
    double[] allowed = new double[4 * LANES];
    for (int lane = 0; lane < LANES; lane++) {
      int g = lane / 4;
      int t = lane % 4;
      for (int r = 0; r < 4; r++) {
        registers[r][lane] = pair(a[g + r % 2 * 8], 2 * t + r / 2 * 8);
        registers[8 + r][lane] = Float.floatToRawIntBits(exact ? 0 : (float) random.nextGaussian());
      }
      for (int r = 0; r < 2; r++) {
        int row = 2 * t + 8 * r;
        registers[4 + r][lane] = pair(new float[] {b[row][g], b[row + 1][g]}, 0);
      }
      for (int r = 0; r < 4; r++) {
        double sum = Float.intBitsToFloat(registers[8 + r][lane]);
        double largest = Math.abs(sum);
        for (int i = 0; i < k; i++) {
          double term = (double) a[g + r / 2 * 8][i] * b[i][2 * t + r % 2];
          sum += term;
          largest = Math.max(largest, Math.abs(term));
        }
        expected[4 * lane + r] = Float.floatToRawIntBits((float) sum) & 0xffffffffL;
        allowed[4 * lane + r] = exact ? 0 : k * largest * 0x1p-22;
      }
    }
    String body =
        """
        mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
          {%r20,%r21,%r22,%r23}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%r8,%r9,%r10,%r11};
        """;
    add(
        "mma, " + name,
        PtxLab.lanes(body, registers),
        expected,
        (want, have, i) ->
            Math.abs(Float.intBitsToFloat((int) want) - Float.intBitsToFloat((int) have))
                <= allowed[i]);
  }

  /** The matrix instruction of codes: unsigned bytes times those of {@code type}, any of them. */
  private void mmaOfBytes(String type) {
    int[][] registers = new int[12][];
    Arrays.setAll(registers, r -> r < 6 || r >= 8 ? words() : new int[LANES]);
    long[] expected = new long[4 * LANES];
    for (int lane = 0; lane < LANES; lane++) {
      for (int r = 0; r < 4; r++) {
        int row = lane / 4;
        int column = lane % 4 * 2 + r % 2;
        int sum = registers[8 + r][lane];
        for (int i = 0; i < 32; i++) {
          // Four neighbours of a row, or of a column, share a register.
          int owner = i % 16 / 4;
          int a = registers[r / 2 + i / 16 * 2][row * 4 + owner] >>> (8 * (i % 4)) & 0xff;
          int b = registers[4 + i / 16][column * 4 + owner] >>> (8 * (i % 4)) & 0xff;
          sum += a * (type.equals("s8") ? (byte) b : b);
        }
        expected[4 * lane + r] = sum & 0xffffffffL;
      }
    }
    String body =
        """
        mma.sync.aligned.m16n8k32.row.col.s32.u8.%s.s32
          {%%r20,%%r21,%%r22,%%r23}, {%%r0,%%r1,%%r2,%%r3}, {%%r4,%%r5}, {%%r8,%%r9,%%r10,%%r11};
        """
            .formatted(type);
    add("mma, bytes, u8 " + type, PtxLab.lanes(body, registers), expected, PtxCase.BITS);
  }

  private static int pair(float[] row, int at) {
    return Half.FP16.round(row[at]) | Half.FP16.round(row[at + 1]) << 16;
  }

  /**
   * Two groups of copies; a thread reads what another one has copied. Part of one is zero-filled.
   */
  private void copies() {
    int threads = 128;
    long[] in = random.longs(2L * threads).toArray();
    String body =
        """
        .shared .align 16 .b8 s[4096];
        mov.u32 %r1, s;
        shl.b32 %r2, %t, 4;
        cvt.u64.u32 %rd0, %r2;
        add.s64 %rd1, %in, %rd0;
        add.s32 %r3, %r1, %r2;
        cp.async.cg.shared.global [%r3], [%rd1], 16;
        cp.async.commit_group;
        and.b32 %r4, %t, 8;
        cp.async.ca.shared.global [%r3+2048], [%rd1], 8, %r4;
        cp.async.commit_group;
        cp.async.wait_group 1;
        bar.sync 0;
        xor.b32 %r5, %r2, 1040;
        add.s32 %r5, %r1, %r5;
        ld.shared.v2.u64 {%rd2, %rd3}, [%r5];
        cp.async.wait_group 0;
        bar.sync 0;
        ld.shared.u64 %rd4, [%r5+2048];
        add.s64 %rd3, %rd3, %rd4;
        add.s64 %rd1, %out, %rd0;
        st.global.u64 [%rd1], %rd2;
        st.global.u64 [%rd1+8], %rd3;
        """;
    long[] expected = new long[2 * threads];
    for (int i = 0; i < threads; i++) {
      int other = i ^ 65;
      long again = (other & 8) != 0 ? in[2 * other] : 0;
      expected[2 * i] = in[2 * other];
      expected[2 * i + 1] = in[2 * other + 1] + again;
    }
    PtxLab.Setup setup = PtxLab.Setup.of(threads);
    add(
        "cp.async",
        new PtxLab.Program(PtxLab.entry(body), setup, in, expected.length),
        expected,
        PtxCase.BITS);
  }

  /**
   * Steps of the Collatz sequence: a loop of its own length for each lane, with a branch inside.
   */
  private void divergence() {
    int[] start = random.ints(LANES, 1, 10_000).toArray();
    String body =
        """
        mov.u32 %r20, 0;
        mov.u32 %r16, %r0;
        LOOP:
        setp.eq.u32 %p1, %r16, 1;
        @%p1 bra DONE;
        add.s32 %r20, %r20, 1;
        and.b32 %r17, %r16, 1;
        setp.eq.u32 %p2, %r17, 0;
        @%p2 bra EVEN;
        mad.lo.s32 %r16, %r16, 3, 1;
        bra LOOP;
        EVEN:
        shr.u32 %r16, %r16, 1;
        bra LOOP;
        DONE:
        shfl.sync.bfly.b32 %r21, %r20, 16, 31, -1;
        """
            + HIGH_ZERO;
    int[] steps = new int[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      for (long x = start[lane]; x != 1; x = x % 2 == 0 ? x / 2 : 3 * x + 1) {
        steps[lane]++;
      }
    }
    long[] expected = stored(steps, from(steps, lane -> lane ^ 16));
    add("divergence", PtxLab.lanes(body, new int[][] {start}), expected, PtxCase.BITS);
  }

  private void predicates() {
    int[] a = words();
    int[] b = words();
    String body =
        """
        mov.b32 %r20, %r0;
        setp.lt.s32 %p1, %r0, %r1;
        @%p1 sub.s32 %r20, %r1, %r0;
        @!%p1 xor.b32 %r20, %r20, %r1;
        setp.ge.s32 %p2, %r0, 0;
        and.pred %p3, %p1, %p2;
        not.pred %p4, %p3;
        selp.b32 %r21, %r0, %r1, %p3;
        mov.b32 %r22, 7;
        @%p4 mov.b32 %r22, 9;
        xor.pred %p5, %p1, %p2;
        selp.b32 %r23, 1, 0, %p5;
        """;
    int[][] expected = new int[4][LANES];
    for (int lane = 0; lane < LANES; lane++) {
      boolean less = a[lane] < b[lane];
      boolean positive = a[lane] >= 0;
      expected[0][lane] = less ? b[lane] - a[lane] : a[lane] ^ b[lane];
      expected[1][lane] = less && positive ? a[lane] : b[lane];
      expected[2][lane] = less && positive ? 7 : 9;
      expected[3][lane] = less ^ positive ? 1 : 0;
    }
    add("predicates", PtxLab.lanes(body, new int[][] {a, b}), stored(expected), PtxCase.BITS);
  }

  /** Sums, a minimum, and tickets that are all different. */
  private void atomics() {
    int threads = 128;
    long[] in = random.longs(threads).toArray();
    String body =
        """
        setp.ne.u32 %p1, %t, 0;
        mov.u64 %rd5, -1;
        @%p1 bra READY;
        st.global.u64 [%out+32], %rd5;
        READY:
        bar.sync 0;
        mul.wide.u32 %rd0, %t, 8;
        add.s64 %rd1, %in, %rd0;
        ld.global.u64 %rd2, [%rd1];
        and.b32 %r1, %t, 3;
        mul.wide.u32 %rd3, %r1, 8;
        add.s64 %rd3, %out, %rd3;
        atom.global.add.u64 %rd4, [%rd3], %rd2;
        atom.global.min.u64 %rd4, [%out+32], %rd2;
        atom.add.acq_rel.gpu.global.u32 %r2, [%out+40], 1;
        mul.wide.u32 %rd3, %r2, 8;
        add.s64 %rd3, %out, %rd3;
        add.s32 %r3, %r2, 1;
        st.global.u32 [%rd3+48], %r3;
        """;
    long[] expected = new long[6 + threads];
    expected[4] = -1;
    expected[5] = threads;
    for (int i = 0; i < threads; i++) {
      expected[i % 4] += in[i];
      expected[4] = Long.compareUnsigned(in[i], expected[4]) < 0 ? in[i] : expected[4];
      expected[6 + i] = i + 1L;
    }
    PtxLab.Setup setup = PtxLab.Setup.of(threads);
    add(
        "atomics",
        new PtxLab.Program(PtxLab.entry(body), setup, in, expected.length),
        expected,
        PtxCase.BITS);
  }
}
