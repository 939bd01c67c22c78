package streamverify;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The import header of a Lean file, and the key of its record: step 1 of schemas/partitioner.md. */
final class Header {
    /** A name: parts with dots between them; a part in «» may hold anything. */
    private static final String PART = "(?:[\\p{L}_][\\p{L}\\p{N}_'!?]*|«[^»]*»)";

    private static final Pattern NAME = Pattern.compile(PART + "(?:\\." + PART + ")*");
    private static final Pattern BLANK = Pattern.compile("(?: |\\r?\\n|--[^\\n]*)*+");

    private final String text;
    private int at;

    private Header(String text) {
        this.text = text;
        this.at = text.startsWith("\ufeff") ? 1 : 0;
    }

    /** The canonical header: the imports in order, one on each line; "" where there is none, or no Lean. */
    static String canonical(String proof) {
        try {
            return new Header(proof).read();
        } catch (IllegalArgumentException noLean) {
            return "";
        }
    }

    /** The key: 16 bytes of SHA-256 as hexadecimal digits. */
    static String key(String canonical) {
        byte[] digest = sha256(canonical.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(Arrays.copyOf(digest, 16));
    }

    static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException everyJavaHasIt) {
            throw new IllegalStateException(everyJavaHasIt);
        }
    }

    private String read() {
        Set<String> lines = new LinkedHashSet<>();
        skipBlank();
        if (take("module")) lines.add("module");
        if (take("prelude")) throw new IllegalArgumentException();
        while (true) {
            int start = at;
            String modifiers = (take("public") ? "public " : "") + (take("meta") ? "meta " : "");
            if (!take("import")) {
                // `public` may begin a command of the body.
                at = start;
                break;
            }
            boolean all = take("all");
            if ((all || !modifiers.isEmpty()) && !lines.contains("module")) throw new IllegalArgumentException();
            String name = name();
            if (name.isEmpty()) throw new IllegalArgumentException();
            at += name.length();
            skipBlank();
            lines.add(modifiers + "import " + (all ? "all " : "") + name);
        }
        StringBuilder header = new StringBuilder();
        for (String line : lines) header.append(line).append('\n');
        return header.toString();
    }

    private boolean take(String word) {
        if (!name().equals(word)) return false;
        at += word.length();
        skipBlank();
        return true;
    }

    private String name() {
        Matcher match = NAME.matcher(text).region(at, text.length());
        return match.lookingAt() ? match.group() : "";
    }

    /** Goes behind white space and comments, which may be nested; a doc comment is none of them. */
    private void skipBlank() {
        while (true) {
            Matcher blank = BLANK.matcher(text).region(at, text.length());
            if (blank.lookingAt()) at = blank.end();
            boolean refused = text.startsWith("\t", at) || text.startsWith("\r", at);
            if (refused) throw new IllegalArgumentException();
            if (!text.startsWith("/-", at) || text.startsWith("-", at + 2) || text.startsWith("!", at + 2)) return;
            int depth = 1;
            int inside = at + 3;
            for (; depth > 0; inside += 2) {
                int open = text.indexOf("/-", inside);
                int close = text.indexOf("-/", inside);
                if (close < 0) throw new IllegalArgumentException();
                boolean opens = open >= 0 && open < close;
                depth += opens ? 1 : -1;
                inside = opens ? open : close;
            }
            at = inside;
        }
    }
}
