package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RotationTest {
  @ParameterizedTest
  @CsvSource({"16, 80", "32, 96", "64, 64", "128, 256"})
  void isTheWalshHadamardTransformOfItsBlocks(int block, int channels) {
    Random random = new Random(5);
    float[] x = new float[channels];
    for (int d = 0; d < channels; d++) {
      x[d] = (float) random.nextGaussian();
    }
    float[] rotated = x.clone();
    new Rotation(block).apply(rotated, 0, channels, 1);
    for (int d = 0; d < channels; d++) {
      double sum = 0;
      int first = d / block * block;
      for (int i = 0; i < block; i++) {
        sum += (Integer.bitCount(i & (d - first)) % 2 == 0 ? 1 : -1) * x[first + i];
      }
      assertEquals(sum / Math.sqrt(block), rotated[d], 1e-5);
    }
    new Rotation(block).apply(rotated, 0, channels, 1);
    assertArrayEquals(x, rotated, 1e-5f);
  }

  @ParameterizedTest
  @CsvSource({"64, 33", "80, 7"})
  void lanesAreRotatedAlike(int channels, int lanes) {
    int block = Integer.lowestOneBit(channels);
    Random random = new Random(6);
    float[] x = new float[3 + channels * lanes];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    float[] all = x.clone();
    new Rotation(block).apply(all, 3, channels, lanes);
    for (int lane = 0; lane < lanes; lane++) {
      float[] one = new float[channels];
      for (int d = 0; d < channels; d++) {
        one[d] = x[3 + d * lanes + lane];
      }
      new Rotation(block).apply(one, 0, channels, 1);
      for (int d = 0; d < channels; d++) {
        assertEquals(one[d], all[3 + d * lanes + lane]);
      }
    }
  }
}
