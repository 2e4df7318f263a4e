package productid.mutants;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

/** The applet's source as it is, and its classes with one class changed. For one thread. */
final class AppletSource implements AutoCloseable {
    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    /** By class. */
    private final Map<String, String> text = new TreeMap<>();
    /** One for all mutants: opening the platform's classes takes longer than compiling. */
    private final StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);

    AppletSource(Path folder, Path api) throws IOException {
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, List.of(api));
        try (Stream<Path> sources = Files.list(folder)) {
            for (Path file : sources.toList()) {
                text.put(file.getFileName().toString().replaceFirst("\\.java$", ""), Files.readString(file));
            }
        }
    }

    /** Throws, naming all of them, if mutants do not fit this source. */
    void require(List<Mutant> mutants) {
        StringBuilder faults = new StringBuilder();
        for (Mutant mutant : mutants) {
            try {
                mutant.mutate(text);
            } catch (IllegalStateException e) {
                faults.append('\n').append(e.getMessage());
            }
        }
        if (!faults.isEmpty()) {
            throw new IllegalStateException("the tables no longer fit the applet:" + faults);
        }
    }

    /** Compiles into the folder. Throws if the mutant does not fit this source or does not compile. */
    void compile(Mutant mutant, Path folder) throws IOException {
        compile(mutant.rule(), mutant.mutate(text), folder);
    }

    private void compile(String what, Map<String, String> sources, Path folder) throws IOException {
        List<Unit> units = sources.entrySet().stream().map(entry -> new Unit(entry.getKey(), entry.getValue())).toList();
        StringWriter faults = new StringWriter();
        files.setLocationFromPaths(StandardLocation.CLASS_OUTPUT, List.of(folder));
        List<String> options = List.of("--release", "8", "-proc:none", "-implicit:none", "-nowarn", "-Xlint:-options");
        if (!compiler.getTask(faults, files, null, options, null, units).call()) {
            throw new IllegalStateException(what + " does not compile:\n" + faults);
        }
    }

    @Override
    public void close() throws IOException {
        files.close();
    }

    private static final class Unit extends SimpleJavaFileObject {
        private final String source;

        Unit(String type, String source) {
            super(URI.create("string:///productid/card/" + type + ".java"), JavaFileObject.Kind.SOURCE);
            this.source = source;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return source;
        }
    }
}
