package org.sinkq;

/**
 * What a probe found out about one engine.
 *
 * @param name name to ask for the engine by, such as {@code cpu}
 * @param available whether it can run here
 * @param description what it would run on, e.g. vector width and threads; empty if not available
 * @param reason why it cannot run, or why it runs slower than it could; empty if neither
 * @param remedy what the user can do about the reason; empty if there is none
 */
public record EngineStatus(
    String name, boolean available, String description, String reason, String remedy) {}
