package org.sinkq.saved;

import static org.sinkq.InvalidArgumentException.require;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.util.zip.CRC32C;

/** Reads what {@link SavedOutput} has written, and not a byte more. */
public final class SavedInput {
  private final ReadableByteChannel channel;
  private final CRC32C crc = new CRC32C();
  private long position;

  /** Reads from a channel, which stays open. */
  public SavedInput(ReadableByteChannel channel) {
    this.channel = channel;
  }

  /** Reads a few bytes. */
  ByteBuffer read(int bytes, String section) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    read(buffer, section);
    return buffer.flip();
  }

  /** Fills a segment. */
  public void read(MemorySegment to, String section) throws IOException {
    for (long at = 0; at < to.byteSize(); at += SavedOutput.LARGEST) {
      long bytes = Math.min(SavedOutput.LARGEST, to.byteSize() - at);
      read(to.asSlice(at, bytes).asByteBuffer(), section);
    }
  }

  private void read(ByteBuffer to, String section) throws IOException {
    int start = to.position();
    while (to.hasRemaining()) {
      int read = channel.read(to);
      require(
          read >= 0,
          "saved sequence ends after %d bytes in %s, expected %d more",
          position,
          section,
          to.remaining());
      position += read;
    }
    crc.update(to.duplicate().position(start));
  }

  /**
   * Ends a section.
   *
   * @throws org.sinkq.InvalidArgumentException if its bytes are not those that were written
   */
  public void checksum(String section) throws IOException {
    int computed = (int) crc.getValue();
    crc.reset();
    int stored = read(Integer.BYTES, section).getInt();
    crc.reset();
    require(
        stored == computed,
        "checksum=%08x of %s of a saved sequence, expected %08x; its bytes have changed",
        computed,
        section,
        stored);
  }
}
