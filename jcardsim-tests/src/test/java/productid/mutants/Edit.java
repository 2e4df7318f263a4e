package productid.mutants;

import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive lines of one of the applet's classes and what stands in their place, both without indentation.
 *
 * @param type the class
 */
record Edit(String type, List<String> before, List<String> after) {
    Edit(String type) {
        this(type, new ArrayList<>(), new ArrayList<>());
    }

    /** A line of the table: {@code -} is removed, {@code +} added, a space keeps it. */
    void add(String line) {
        String code = line.substring(1).strip();
        switch (line.charAt(0)) {
            case '-' -> before.add(code);
            case '+' -> after.add(code);
            case ' ' -> {
                before.add(code);
                after.add(code);
            }
            default -> throw new IllegalStateException("neither removed nor added nor kept: " + line);
        }
    }

    /** The source with the edit made. Throws if the lines before are not there exactly once: then the table is old. */
    String apply(String source) {
        List<String> lines = source.lines().toList();
        int at = -1;
        for (int i = 0; i + before.size() <= lines.size(); i++) {
            if (lines.subList(i, i + before.size()).stream().map(String::strip).toList().equals(before)) {
                require(at < 0, "is at more than one place");
                at = i;
            }
        }
        require(at >= 0 && !before.isEmpty(), "is nowhere");
        require(!before.equals(after), "is not changed");
        List<String> edited = new ArrayList<>(lines.subList(0, at));
        edited.addAll(after);
        edited.addAll(lines.subList(at + before.size(), lines.size()));
        return String.join("\n", edited) + "\n";
    }

    private void require(boolean condition, String fault) {
        if (!condition) {
            throw new IllegalStateException("this " + fault + " in " + type + ".java: " + before);
        }
    }
}
