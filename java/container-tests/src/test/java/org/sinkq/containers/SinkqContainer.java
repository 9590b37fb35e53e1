package org.sinkq.containers;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.InspectContainerResponse;
import com.github.dockerjava.api.model.AccessMode;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.DeviceRequest;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.Volume;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.output.OutputFrame.OutputType;
import org.testcontainers.containers.startupcheck.StartupCheckStrategy;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.DockerStatus;

/**
 * One container of an image, as tight as the documentation recommends: read-only root with a small
 * /tmp (JCuda unpacks its library there), no capabilities, no network, a memory limit. Closing
 * removes it.
 */
final class SinkqContainer implements AutoCloseable {
  /** By this label docker/test finds what a run left behind. */
  static final String LABEL = "org.sinkq.test";

  private static final Duration LONGEST = Duration.ofMinutes(4);
  private static final long POLL_MILLIS = 20;

  private final GenericContainer<?> container;
  private final List<Bind> binds = new ArrayList<>();
  private long memoryMib = 512;
  private String user = "";
  private List<String> entrypoint = List.of();
  private boolean gpu;

  private SinkqContainer(String image, String... command) {
    container =
        new GenericContainer<>(DockerImageName.parse(image))
            .withImagePullPolicy(name -> false)
            .withNetworkMode("none")
            .withLabels(Map.of(LABEL, TestSettings.testRun()))
            .withCommand(command)
            .withCreateContainerCmdModifier(
                create -> {
                  HostConfig host = create.getHostConfig();
                  host.withBinds(binds)
                      .withMemory(memoryMib << 20)
                      .withMemorySwap(memoryMib << 20)
                      .withReadonlyRootfs(true)
                      .withTmpFs(Map.of("/tmp", "rw,exec,size=64m"))
                      .withCapDrop(Capability.ALL)
                      .withSecurityOpts(List.of("no-new-privileges"));
                  if (gpu) {
                    host.withDeviceRequests(
                        List.of(
                            new DeviceRequest()
                                .withCount(-1)
                                .withCapabilities(List.of(List.of("gpu")))));
                  }
                  if (!entrypoint.isEmpty()) {
                    create.withEntrypoint(entrypoint);
                  }
                  if (!user.isEmpty()) {
                    create.withUser(user);
                  }
                });
  }

  /** A container of the CPU image that will run a command of sinkq. */
  static SinkqContainer of(String... command) {
    return new SinkqContainer(TestSettings.image(), command);
  }

  /** A container of the CUDA image that will run a command of sinkq. */
  static SinkqContainer ofCuda(String... command) {
    return new SinkqContainer(TestSettings.cudaImage(), command);
  }

  SinkqContainer readOnly(Path folder, String at) {
    binds.add(new Bind(folder.toString(), new Volume(at), AccessMode.ro));
    return this;
  }

  SinkqContainer writable(Path folder, String at) {
    binds.add(new Bind(folder.toString(), new Volume(at), AccessMode.rw));
    return this;
  }

  SinkqContainer memoryMib(long limit) {
    memoryMib = limit;
    return this;
  }

  SinkqContainer user(String name) {
    user = name;
    return this;
  }

  /** Runs another program of the image in the place of sinkq. */
  SinkqContainer program(String... path) {
    entrypoint = List.of(path);
    return this;
  }

  /** Asks for every GPU through the device request API. */
  SinkqContainer gpu() {
    gpu = true;
    return this;
  }

  /** Runs the command to its end and removes the container. */
  Outcome run() {
    try (this) {
      container.withStartupCheckStrategy(new State(false)).start();
      return outcome();
    }
  }

  /** Begins the command. */
  SinkqContainer start() {
    container.withStartupCheckStrategy(new State(true)).start();
    return this;
  }

  /** Waits until stdout holds at least so many characters. */
  void awaitOutput(int length) throws InterruptedException {
    await("output", () -> stdout().length() >= length || !running());
  }

  /** Sends a signal, and waits for the end. */
  void kill(String signal) throws InterruptedException {
    client().killContainerCmd(container.getContainerId()).withSignal(signal).exec();
    awaitEnd();
  }

  /** Starts the same container once more, and waits for the end. */
  Outcome restart() throws InterruptedException {
    client().startContainerCmd(container.getContainerId()).exec();
    awaitEnd();
    return outcome();
  }

  boolean running() {
    return Boolean.TRUE.equals(inspect().getState().getRunning());
  }

  int exitCode() {
    return inspect().getState().getExitCodeLong().intValue();
  }

  /** What the command wrote to stdout so far, in all its starts. */
  String stdout() {
    return container.getLogs(OutputType.STDOUT);
  }

  @Override
  public void close() {
    container.close();
  }

  static DockerClient client() {
    return DockerClientFactory.lazyClient();
  }

  private InspectContainerResponse inspect() {
    return client().inspectContainerCmd(container.getContainerId()).exec();
  }

  private void awaitEnd() throws InterruptedException {
    await("the end", () -> !running());
  }

  private void await(String what, java.util.function.BooleanSupplier condition)
      throws InterruptedException {
    long deadline = System.nanoTime() + LONGEST.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("waited " + LONGEST + " for " + what + ", stdout: " + stdout());
      }
      Thread.sleep(POLL_MILLIS);
    }
  }

  private Outcome outcome() {
    return new Outcome(exitCode(), stdout(), container.getLogs(OutputType.STDERR));
  }

  /** Takes a container as started when it runs, or only when it has ended, whatever its code. */
  private static final class State extends StartupCheckStrategy {
    private final boolean whileRunning;

    State(boolean whileRunning) {
      this.whileRunning = whileRunning;
      withTimeout(LONGEST);
    }

    @Override
    public StartupStatus checkStartupState(DockerClient client, String id) {
      InspectContainerResponse.ContainerState state = getCurrentState(client, id);
      boolean reached =
          DockerStatus.isContainerStopped(state)
              || (whileRunning && Boolean.TRUE.equals(state.getRunning()));
      return reached ? StartupStatus.SUCCESSFUL : StartupStatus.NOT_YET_KNOWN;
    }
  }
}
