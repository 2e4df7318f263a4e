package productid.mutants;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javacard.framework.Applet;
import org.junit.jupiter.api.Test;

/** Each rule of the applet, broken at one place, makes a test fail: else nothing would notice when it breaks one day. */
class MutantsTest {
    private static final Path ROOT = Path.of(System.getProperty("repository", ".."));
    private static final Path TABLES = ROOT.resolve("jcardsim-tests/mutants");
    private static final Path SOURCE = ROOT.resolve("applet/src/main/java/productid/card");
    private static final Path TARGET = ROOT.resolve("jcardsim-tests/target");
    private static final Path REPORT = TARGET.resolve("mutants.txt");
    /** What a mutant has to pass to survive, beside the tests that its table names. */
    private static final List<String> SELECTION = List.of("InfoTest", "SelectionTest", "RefusalTest", "ClassFileTest", "TearTest",
            "ConfigurationTest", "Type4TagTest", "ChallengeTest", "CounterTest", "SignatureTest", "LifeCycleTest");
    private static final int WORKERS = Math.min(2, Runtime.getRuntime().availableProcessors());

    private final Queue<Mutant> waiting = new ConcurrentLinkedQueue<>();
    /** What became of a mutant, as its worker said. */
    private final Map<Mutant, String> answers = new ConcurrentHashMap<>();

    @Test
    void everyMutantIsKilled() throws Exception {
        List<Mutant> mutants = tables();
        assertFalse(mutants.isEmpty());
        try (AppletSource source = source()) {
            source.require(mutants);
        }
        Files.deleteIfExists(REPORT);
        Set<String> tests = new LinkedHashSet<>(SELECTION);
        mutants.stream().flatMap(mutant -> mutant.tests().stream()).filter(test -> !SELECTION.contains(test.replaceFirst("#.*", "")))
                .forEach(tests::add);
        tests.forEach(test -> waiting.add(Mutant.none(test)));
        waiting.addAll(mutants);
        ExecutorService threads = Executors.newFixedThreadPool(WORKERS);
        List<Future<Void>> done = new ArrayList<>();
        for (int i = 1; i <= WORKERS; i++) {
            done.add(threads.submit(worker(TARGET.resolve("mutants/" + i))));
        }
        threads.shutdown();
        for (Future<Void> one : done) {
            one.get();
        }
        List<Mutant> survivors = mutants.stream().filter(mutant -> answers.get(mutant).equals(Worker.PASSED)).toList();
        System.out.println("mutants killed " + (mutants.size() - survivors.size()) + " / " + mutants.size() + " made");
        assertEquals(List.of(), survivors, "a rule that no test holds");
    }

    @Test
    void aTableThatNoLongerFitsTheSourceIsNoKill() {
        Map<String, String> source = Map.of("T", "a;\n    b;\nc;\nb;\n");
        assertEquals("a;\nx;\nc;\nb;\n", mutant("  a;", "- b;", "+ x;").mutate(source).get("T"));
        assertEquals("x;\n    b;\ny;\nb;\n", mutant("- a;", "+ x;", "", "- c;", "+ y;").mutate(source).get("T"));
        for (String[] old : new String[][] {{"- b;", "+ x;"}, {"- d;", "+ x;"}, {"- a;", "- c;", "+ x;"}, {"+ x;"}, {"  a;"},
            {"- a;", "+ a;"}, {}, {"in U", "- a;", "+ x;"}}) {
            assertThrows(IllegalStateException.class, () -> mutant(old).mutate(source), () -> String.join(" ", old));
        }
    }

    @Test
    void aMutantThatDoesNotCompileIsNoKill() throws Exception {
        Path folder = Files.createDirectories(TARGET.resolve("mutants/none"));
        Mutant broken = Mutant.parse(List.of("in Ascii", "@ rule", "- private Ascii() {", "+ private Ascii( {")).get(0);
        try (AppletSource source = source()) {
            assertThrows(IllegalStateException.class, () -> source.compile(broken, folder));
        }
    }

    private static Mutant mutant(String... lines) {
        return Mutant.parse(Stream.concat(Stream.of("in T", "@ rule"), Stream.of(lines)).toList()).get(0);
    }

    private static List<Mutant> tables() throws IOException {
        List<Mutant> mutants = new ArrayList<>();
        try (Stream<Path> files = Files.list(TABLES)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".txt")).sorted().toList()) {
                mutants.addAll(Mutant.table(file));
            }
        }
        assertEquals(mutants.size(), mutants.stream().map(Mutant::rule).distinct().count(), "a name twice");
        Pattern chosen = Pattern.compile(System.getProperty("mutants", ""));
        return mutants.stream().filter(mutant -> chosen.matcher(mutant.rule()).find()).toList();
    }

    /** Takes mutants until there are none. Throws if the applet as it is does not pass, or a mutant can't be run. */
    private Callable<Void> worker(Path folder) {
        return () -> {
            Files.createDirectories(folder);
            Process process = start(folder);
            try (AppletSource source = source(); BufferedWriter commands = process.outputWriter();
                    BufferedReader results = process.inputReader()) {
                for (Mutant mutant = waiting.poll(); mutant != null; mutant = waiting.poll()) {
                    source.compile(mutant, folder);
                    Set<String> tests = new LinkedHashSet<>(mutant.tests());
                    if (mutant.isOne()) {
                        tests.addAll(SELECTION);
                    }
                    String answer = ask(commands, results, tests);
                    assertTrue(answer != null && !answer.startsWith(Worker.ERROR), mutant + ": " + answer);
                    assertTrue(mutant.isOne() || answer.equals(Worker.PASSED), mutant + ": " + answer);
                    report(mutant, answer);
                }
                return null;
            } finally {
                waiting.clear();
                process.destroyForcibly();
            }
        };
    }

    private synchronized void report(Mutant mutant, String answer) throws IOException {
        answers.put(mutant, answer);
        Files.writeString(REPORT, mutant + ": " + answer + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        if (mutant.isOne() && answer.equals(Worker.PASSED)) {
            System.out.println("survived: " + mutant);
        }
    }

    private static AppletSource source() throws IOException, URISyntaxException {
        return new AppletSource(SOURCE, location(Applet.class));
    }

    private static String ask(BufferedWriter commands, BufferedReader results, Iterable<String> tests) throws IOException {
        commands.write(String.join(" ", tests) + "\n");
        commands.flush();
        return results.readLine();
    }

    /** A worker whose applet is in this folder and nowhere else. */
    private static Process start(Path folder) throws IOException, URISyntaxException, ClassNotFoundException {
        Path compiled = location(Class.forName("productid.card.ProductIdApplet"));
        String rest = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !Path.of(entry).toAbsolutePath().normalize().equals(compiled.normalize()))
                .collect(Collectors.joining(File.pathSeparator));
        return new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Drepository=" + ROOT,
                "-cp", folder + File.pathSeparator + rest, Worker.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }

    private static Path location(Class<?> type) throws URISyntaxException {
        return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    }
}
