package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The launcher in a project of its own, with scripts in the place of Java and Maven: what it finds,
 * when it builds, what it says.
 */
final class LauncherTest {
  private static final String BUILD_WORKS =
      "mkdir -p java/cli/target/lib java/cli/target/classes; echo '[INFO] done'";

  @TempDir Path temp;
  private Path project;
  private Path jdks;
  private Path bin;

  private record Run(int code, String out, String err) {}

  @BeforeEach
  void setUp() throws IOException {
    project = temp.toRealPath().resolve("project");
    jdks = Files.createDirectory(temp.toRealPath().resolve("jdks"));
    bin = Files.createDirectory(temp.toRealPath().resolve("bin"));
    Files.createDirectories(project.resolve("java/cli/src/main"));
    Files.writeString(project.resolve("pom.xml"), "");
    Files.writeString(project.resolve("java/cli/pom.xml"), "");
    Files.writeString(project.resolve("java/cli/src/main/Main.java"), "");
    executable(project.resolve("sinkq"), Files.readString(Path.of("../../sinkq")));
    for (String tool :
        List.of(
            "bash",
            "cat",
            "dirname",
            "find",
            "grep",
            "mkdir",
            "mv",
            "readlink",
            "rm",
            "sed",
            "sleep",
            "tail",
            "tr")) {
      executable(bin.resolve(tool), "#!/bin/sh\nexec " + tool(tool) + " \"$@\"\n");
    }
  }

  @Test
  void theFirstStartBuildsAndLaterOnesDoNot() throws Exception {
    jdk("jdk-25", "25.0.1");
    maven(BUILD_WORKS);
    Run first = run(Map.of(), "replay", "a b", "c");
    assertEquals(0, first.code(), first.err());
    assertEquals(
        "sinkq: building from source; log in "
            + project
            + "/java/cli/target/build.log\nsinkq: built in 0 s\n",
        first.err().replaceAll("built in \\d+ s", "built in 0 s"));
    assertTrue(first.out().contains("|-Dsinkq.stderr=3|"), first.out());
    assertTrue(first.out().endsWith("|org.sinkq.cli.Main|replay|a b|c|\n"), first.out());
    assertEquals("", run(Map.of(), "doctor").err());
  }

  @Test
  void aChangedOrRemovedSourceBuildsAgain() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS);
    run(Map.of(), "doctor");
    Path source = project.resolve("java/cli/src/main/Main.java");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(60)));
    assertTrue(run(Map.of(), "doctor").err().contains("building from source"));
    Files.delete(source);
    Files.setLastModifiedTime(source.getParent(), FileTime.from(Instant.now().plusSeconds(120)));
    assertTrue(run(Map.of(), "doctor").err().contains("building from source"));
  }

  @Test
  void gpuKernelsAreBuiltWhenFirstAskedForAndFromThenOn() throws Exception {
    jdk("jdk-25", "25");
    Path kernel = project.resolve("java/cuda/target/classes/org/sinkq/cuda/sinkq_d128.ptx");
    Path calls = project.resolve("calls");
    maven(
        BUILD_WORKS
            + "; echo \"$*\" >> calls; case \"$*\" in *kernels.skip=false*) mkdir -p "
            + kernel.getParent()
            + "; : > "
            + kernel
            + ";; esac");
    run(Map.of(), "generate", "--engine", "cpu");
    assertTrue(Files.readString(calls).contains("-Dsinkq.kernels.skip=true"));
    assertFalse(run(Map.of(), "generate", "cuda").err().contains("building"));
    assertTrue(run(Map.of(), "generate", "--engine=cuda").err().contains("building"));
    assertTrue(Files.exists(kernel));
    assertFalse(run(Map.of(), "generate", "--engine", "cuda").err().contains("building"));
    Path source = Files.createDirectories(project.resolve("cuda-kernels")).resolve("a.cu");
    Files.writeString(source, "");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(60)));
    assertTrue(run(Map.of(), "doctor").err().contains("building"));
    Files.delete(kernel);
    assertFalse(run(Map.of(), "bench", "throughput", "--help").err().contains("building"));
    assertTrue(run(Map.of(), "bench", "throughput").err().contains("building"));
    assertEquals(
        List.of(true, false, false, false),
        Files.readAllLines(calls).stream().map(c -> c.contains("kernels.skip=true")).toList());
  }

  @Test
  void theWarningAboutIncubatingModulesIsDropped() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS);
    run(Map.of(), "doctor");
    executable(
        jdks.resolve("jdk-25/bin/java"),
        """
        #!/bin/sh
        echo 'WARNING: Using incubator modules: jdk.incubator.vector' >&2
        echo 'Unrecognized option: -Xbad' >&2
        echo 'from the program' >&3
        exit 7
        """);
    Run run = run(Map.of(), "doctor");
    assertEquals(7, run.code());
    assertEquals(
        List.of("Unrecognized option: -Xbad", "from the program"),
        run.err().lines().sorted().toList());
  }

  @Test
  void itWorksThroughASymbolicLinkFromAnywhere() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS);
    Path link = Files.createSymbolicLink(bin.resolve("sinkq"), Path.of("../project/sinkq"));
    Run run = run(link, jdks, Map.of(), "doctor");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains(project + "/java/cli/target/classes:"), run.out());
  }

  @Test
  void aRecentJavaHomeWinsAndAnOldOneIsPassedOver() throws Exception {
    Path recent = jdk("a-25", "25.0.1");
    Path newer = jdk("b-26", "26");
    Path old = jdk("old", "17.0.15");
    maven(BUILD_WORKS);
    assertTrue(run(Map.of("JAVA_HOME", newer.toString()), "doctor").out().startsWith(newer + "|"));
    assertTrue(run(Map.of("JAVA_HOME", old.toString()), "doctor").out().startsWith(recent + "|"));
  }

  @Test
  void withoutARecentJdkTheMessageSaysWhatToInstall() throws Exception {
    Path old = jdk("old", "17.0.15");
    Run run = run(Map.of(), "doctor");
    assertEquals(1, run.code());
    assertTrue(
        run.err()
            .startsWith(
                "sinkq: no JDK 25 or later (found only Java 17 in "
                    + old
                    + "); install one, such as"),
        run.err());
    assertEquals(1, run.err().lines().count());
    assertEquals("", run.out());
  }

  @Test
  void withoutMavenTheMessageSaysWhatToInstall() throws Exception {
    jdk("jdk-25", "25");
    Run run = run(Map.of(), "doctor");
    assertEquals(1, run.code());
    assertTrue(
        run.err().startsWith("sinkq: Maven is missing, expected mvn on the PATH to build;"),
        run.err());
  }

  @Test
  void aFailedBuildShowsItsErrorsAndTheLogAndIsTriedAgain() throws Exception {
    jdk("jdk-25", "25");
    maven("echo '[ERROR] Foo.java:[3,4] cannot find symbol'; exit 1");
    Run failed = run(Map.of(), "doctor");
    assertEquals(1, failed.code());
    assertTrue(
        failed
            .err()
            .endsWith(
                "sinkq: the build failed; its log is "
                    + project
                    + "/java/cli/target/build.log\n[ERROR] Foo.java:[3,4] cannot find symbol\n"),
        failed.err());
    assertEquals("", failed.out());
    assertFalse(Files.exists(project.resolve("java/cli/target/build.lock")));
    maven(BUILD_WORKS);
    assertEquals(0, run(Map.of(), "doctor").code());
  }

  @Test
  void aBuildWithoutNetworkSaysSo() throws Exception {
    jdk("jdk-25", "25");
    maven("echo '[ERROR] Could not transfer artifact x: Unknown host'; exit 1");
    Run run = run(Map.of(), "doctor");
    assertEquals(1, run.code());
    assertTrue(
        run.err().endsWith("the first build needs the network (or a mirror in settings.xml)\n"),
        run.err());
  }

  @Test
  void theLockOfABuildThatDiedIsTaken() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS);
    Path lock = Files.createDirectories(project.resolve("java/cli/target/build.lock"));
    Files.writeString(lock.resolve("pid"), "999999999");
    assertEquals(0, run(Map.of(), "doctor").code());
  }

  @Test
  void testsNameTheTagsThatWereNotRun() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS + "; echo \"mvn $*\"");
    run(Map.of(), "doctor");
    executable(
        jdks.resolve("jdk-25/bin/java"), "#!/bin/sh\necho 'sinkq: no network' >&3; exit 1\n");
    Run run = run(Map.of(), "test", "-pl", "java/core");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("verify -Dsinkq.excludedTags=docker,model"), run.out());
    assertTrue(run.out().contains(" -pl java/core\n"), run.out());
    assertTrue(
        run.out()
            .contains(
                "sinkq: tests passed; tags not run: docker (docker/test runs them), model (no model, see above)"),
        run.out());
    assertEquals("sinkq: no network\n", run.err());
  }

  @Test
  void execRunsAProgramWithTheJdkAndTheMavenThatWereFound() throws Exception {
    jdk("jdk-25", "25");
    maven("echo \"mvn $*\"");
    Run run = run(Map.of(), "exec", "bash", "-c", "echo \"$JAVA_HOME\"; mvn a; exit 5");
    assertEquals(5, run.code(), run.err());
    assertEquals(jdks.resolve("jdk-25") + "\nmvn a\n", run.out());
    assertEquals("", run.err());
  }

  @Test
  void testsRunWithTheModelWhereItCanBeHad() throws Exception {
    jdk("jdk-25", "25");
    maven(BUILD_WORKS);
    run(Map.of(), "doctor");
    maven("echo \"mvn $*\"; exit 3");
    executable(jdks.resolve("jdk-25/bin/java"), "#!/bin/sh\necho '/cache/a model.gguf'\n");
    Run run = run(Map.of(), "test");
    assertEquals(3, run.code());
    assertTrue(run.out().contains(" -Dsinkq.model=/cache/a model.gguf\n"), run.out());
    assertTrue(run.out().contains("sinkq: tests failed, see the messages above;"), run.out());
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = jdks.resolve(name);
    Files.createDirectories(home.resolve("bin"));
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"" + version + "\"\n");
    executable(home.resolve("bin/javac"), "#!/bin/sh\n");
    executable(home.resolve("bin/java"), "#!/bin/sh\nprintf '%s|' '" + home + "' \"$@\"; echo\n");
    return home;
  }

  private void maven(String body) throws IOException {
    executable(bin.resolve("mvn"), "#!/bin/sh\ncd " + project + "\n" + body + "\n");
  }

  private static void executable(Path file, String text) throws IOException {
    Files.writeString(file, text);
    assertTrue(file.toFile().setExecutable(true));
  }

  private static Path tool(String name) {
    for (String folder : System.getenv("PATH").split(":", -1)) {
      Path candidate = Path.of(folder, name);
      if (Files.isExecutable(candidate)) {
        return candidate;
      }
    }
    throw new AssertionError(name + " is not on the PATH");
  }

  private Run run(Map<String, String> variables, String... args)
      throws IOException, InterruptedException {
    return run(project.resolve("sinkq"), temp, variables, args);
  }

  private Run run(Path launcher, Path folder, Map<String, String> variables, String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(tool("bash").toString()));
    command.add(launcher.toString());
    command.addAll(List.of(args));
    Path out = temp.resolve("stdout");
    Path err = temp.resolve("stderr");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile());
    Map<String, String> environment = builder.environment();
    environment.clear();
    environment.put("PATH", bin.toString());
    environment.put("SINKQ_JDK_PATH", jdks.toString());
    environment.putAll(variables);
    int code = builder.start().waitFor();
    return new Run(code, read(out), read(err));
  }

  /** The filter of stderr may end a moment after the launcher. */
  private static String read(Path file) throws IOException, InterruptedException {
    String before;
    String now = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    do {
      before = now;
      Thread.sleep(50);
      now = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    } while (!now.equals(before));
    return now;
  }
}
