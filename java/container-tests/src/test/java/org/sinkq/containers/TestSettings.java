package org.sinkq.containers;

import java.nio.file.Path;

/** What docker/test made and says through system properties. */
final class TestSettings {
  private TestSettings() {}

  /** The CPU image. */
  static String image() {
    return property("sinkq.image");
  }

  /** The CUDA image. */
  static String cudaImage() {
    return property("sinkq.cudaImage");
  }

  /** What the CPU image was built on. */
  static String baseImage() {
    return property("sinkq.baseImage");
  }

  /** The distribution that is in the CPU image. */
  static Path distribution() {
    return Path.of(property("sinkq.distribution"));
  }

  /** Value of the label of all containers of this run. */
  static String testRun() {
    return property("sinkq.testRun");
  }

  /** The default model. */
  static Path model() {
    return Path.of(property("sinkq.model"));
  }

  /** Top folder of the sources. */
  static Path root() {
    return Path.of("../..").toAbsolutePath().normalize();
  }

  private static String property(String name) {
    String value = System.getProperty(name, "");
    if (value.isEmpty()) {
      throw new IllegalStateException(
          name + " is not set, expected these tests to be run by docker/test");
    }
    return value;
  }
}
