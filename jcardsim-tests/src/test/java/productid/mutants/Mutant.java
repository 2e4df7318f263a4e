package productid.mutants;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The applet with one rule broken, as a table in jcardsim-tests/mutants says.
 *
 * @param rule what is true of the applet and not of the mutant
 * @param tests those that are likely to notice, tried first
 */
record Mutant(String rule, List<String> tests, List<Edit> edits) {
    private static final String TESTS = "tests: ";
    private static final String TYPE = "in ";
    private static final String RULE = "@ ";

    /** The applet as it is, which has to pass a test that is to kill mutants. */
    static Mutant none(String test) {
        return new Mutant("the applet as it is passes " + test, List.of(test), List.of());
    }

    boolean isOne() {
        return !edits.isEmpty();
    }

    /** The mutants of one table; the README there is the format. */
    static List<Mutant> table(Path file) throws IOException {
        return parse(Files.readAllLines(file));
    }

    static List<Mutant> parse(List<String> lines) {
        List<Mutant> mutants = new ArrayList<>();
        List<String> tests = List.of();
        String type = null;
        boolean begins = true;
        for (String line : lines) {
            if (line.startsWith(TESTS)) {
                tests = List.of(line.substring(TESTS.length()).split(" "));
            } else if (line.startsWith(TYPE)) {
                type = line.substring(TYPE.length());
            } else if (line.startsWith(RULE)) {
                mutants.add(new Mutant(line.substring(RULE.length()), tests, new ArrayList<>()));
            } else if (!line.isBlank() && !line.startsWith("#")) {
                mutants.get(mutants.size() - 1).add(type, begins, line);
                begins = false;
                continue;
            }
            begins = true;
        }
        mutants.stream().filter(mutant -> !mutant.isOne()).findAny().ifPresent(mutant -> {
            throw new IllegalStateException(mutant + ": no edit");
        });
        return mutants;
    }

    private void add(String type, boolean begins, String line) {
        if (begins) {
            edits.add(new Edit(type));
        }
        edits.get(edits.size() - 1).add(line);
    }

    /** The sources by class with the rule broken. Throws if an edit does not fit them. */
    Map<String, String> mutate(Map<String, String> sources) {
        Map<String, String> mutated = new TreeMap<>(sources);
        try {
            edits.forEach(edit -> mutated.compute(edit.type(), (type, source) -> edit.apply(source)));
        } catch (RuntimeException e) {
            throw new IllegalStateException(rule + ": " + e.getMessage(), e);
        }
        return mutated;
    }

    @Override
    public String toString() {
        return rule;
    }
}
