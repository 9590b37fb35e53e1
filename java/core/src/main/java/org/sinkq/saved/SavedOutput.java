package org.sinkq.saved;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.zip.CRC32C;

/** Writes to a blocking channel, with a checksum behind each section. */
public final class SavedOutput {
  /** What one buffer covers at most; a segment may be longer. */
  static final long LARGEST = 1 << 30;

  private final WritableByteChannel channel;
  private final CRC32C crc = new CRC32C();

  /** Writes to a channel, which stays open. */
  public SavedOutput(WritableByteChannel channel) {
    this.channel = channel;
  }

  /** Writes what remains of a buffer. */
  public void write(ByteBuffer bytes) throws IOException {
    crc.update(bytes.duplicate());
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Writes a whole segment. */
  public void write(MemorySegment bytes) throws IOException {
    for (long at = 0; at < bytes.byteSize(); at += LARGEST) {
      write(bytes.asSlice(at, Math.min(LARGEST, bytes.byteSize() - at)).asByteBuffer());
    }
  }

  /** Ends a section. */
  public void checksum() throws IOException {
    ByteBuffer sum = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    write(sum.putInt((int) crc.getValue()).flip());
    crc.reset();
  }
}
