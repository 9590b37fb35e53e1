package org.sinkq;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Who may depend on whom. */
class ArchitectureTest {
  /** The classes that are shipped, without the tests. */
  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .importUrl(AttentionBackend.class.getProtectionDomain().getCodeSource().getLocation());

  /** The classes of the root package that are no values: they drive engines. */
  private static final DescribedPredicate<JavaClass> DRIVERS =
      JavaClass.Predicates.simpleNameStartingWith("AttentionBackend")
          .or(JavaClass.Predicates.simpleNameStartingWith("EngineBackend"))
          .or(JavaClass.Predicates.simpleNameStartingWith("EnginePlan"))
          .or(JavaClass.Predicates.simpleNameStartingWith("EngineSequence"))
          .as("backends, plans and sequences");

  private static Map<String, ArchRule> rules() {
    Map<String, ArchRule> rules = new TreeMap<>();
    rules.put(
        "bookkeeping handles ints only",
        noClasses()
            .that()
            .resideInAnyPackage("org.sinkq.cache", "org.sinkq.layout")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("java.lang.foreign"));
    rules.put(
        "bookkeeping knows no engine",
        noClasses()
            .that()
            .resideInAnyPackage("org.sinkq.cache", "org.sinkq.layout")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.sinkq.engine", "org.sinkq.cpu", "org.sinkq.concurrent"));
    rules.put(
        "the vector module is used in the CPU engine's vector kernels only",
        noClasses()
            .that()
            .haveNameNotMatching("org\\.sinkq\\.cpu\\.Vector\\w+")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jdk.incubator.vector"));
    rules.put(
        "configuration is read in one place",
        noClasses()
            .that()
            .doNotHaveFullyQualifiedName("org.sinkq.engine.VectorSupport")
            .should()
            .callMethod(System.class, "getProperty", String.class)
            .orShould()
            .callMethod(System.class, "getProperty", String.class, String.class)
            .orShould()
            .callMethod(System.class, "getProperties")
            .orShould()
            .callMethod(System.class, "getenv", String.class)
            .orShould()
            .callMethod(System.class, "getenv")
            .orShould()
            .callMethod(Boolean.class, "getBoolean", String.class)
            .orShould()
            .callMethod(Integer.class, "getInteger", String.class));
    rules.put(
        "nobody depends on the CPU engine",
        noClasses()
            .that()
            .resideOutsideOfPackage("org.sinkq.cpu")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.sinkq.cpu"));
    rules.put(
        "engines and bookkeeping see values of the API, not its implementation",
        noClasses()
            .that()
            .resideInAnyPackage("org.sinkq.*..")
            .should()
            .dependOnClassesThat(DRIVERS));
    rules.put(
        "packages below the root have no cycles",
        slices().matching("org.sinkq.(*)..").should().beFreeOfCycles());
    rules.put(
        "a library does not print",
        noClasses()
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err"));
    return rules;
  }

  @TestFactory
  Stream<DynamicTest> rule() {
    return rules().entrySet().stream()
        .map(e -> DynamicTest.dynamicTest(e.getKey(), () -> e.getValue().check(MAIN)));
  }
}
