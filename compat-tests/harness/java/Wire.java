// A Java client as a process: JSON lines with commands on stdin, JSON lines with replies on stdout, matched by id, what the
// client logs on stderr. Commands run side by side; the caller orders them by awaiting replies.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;

final class Wire {
    interface Verb {
        JsonElement run(Command command) throws Exception;
    }

    private static final PrintStream REPLIES = System.out;

    private Wire() {}

    /** What a command carries, with a default for each field that may be left out. */
    record Command(JsonObject json) {
        boolean has(String name) {
            return json.has(name) && !json.get(name).isJsonNull();
        }

        String text(String name) {
            if (!has(name)) throw new IllegalArgumentException("the command needs " + name);
            return json.get(name).getAsString();
        }

        String text(String name, String otherwise) {
            return has(name) ? text(name) : otherwise;
        }

        int number(String name, int otherwise) {
            return has(name) ? json.get(name).getAsInt() : otherwise;
        }

        long number(String name, long otherwise) {
            return has(name) ? json.get(name).getAsLong() : otherwise;
        }

        boolean flag(String name) {
            return has(name) && json.get(name).getAsBoolean();
        }

        JsonArray list(String name) {
            return has(name) ? json.getAsJsonArray(name) : new JsonArray();
        }

        Command part(String name) {
            return new Command(has(name) ? json.getAsJsonObject(name) : new JsonObject());
        }

        Map<String, String> texts(String name) {
            Map<String, String> texts = new LinkedHashMap<>();
            part(name).json.entrySet().forEach(e -> texts.put(e.getKey(), e.getValue().getAsString()));
            return texts;
        }
    }

    /** Answers commands until stdin ends, and ends the process then without closing any client. */
    static void serve(Map<String, Verb> verbs, Function<Throwable, JsonObject> error) throws Exception {
        System.setOut(System.err);
        ExecutorService pool = Executors.newCachedThreadPool();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            Command command = new Command(JsonParser.parseString(line).getAsJsonObject());
            pool.execute(() -> answer(verbs, error, command));
        }
        Runtime.getRuntime().halt(0);
    }

    private static void answer(Map<String, Verb> verbs, Function<Throwable, JsonObject> error, Command command) {
        JsonObject reply = new JsonObject();
        reply.add("id", command.json.get("id"));
        try {
            Verb verb = verbs.get(command.text("op"));
            if (verb == null) throw new UnsupportedOperationException("unknown verb " + command.text("op"));
            reply.add("ok", verb.run(command));
        } catch (Throwable failure) {
            failure.printStackTrace();
            reply.add("error", error.apply(failure));
        }
        synchronized (REPLIES) {
            REPLIES.println(reply);
            REPLIES.flush();
        }
    }

    static JsonObject of(Object... pairs) {
        JsonObject object = new JsonObject();
        for (int i = 0; i < pairs.length; i += 2) object.add((String) pairs[i], json(pairs[i + 1]));
        return object;
    }

    static JsonElement json(Object value) {
        if (value == null) return JsonNull.INSTANCE;
        if (value instanceof JsonElement element) return element;
        if (value instanceof Number number) return new JsonPrimitive(number);
        if (value instanceof Boolean flag) return new JsonPrimitive(flag);
        if (value instanceof Iterable<?> many) {
            JsonArray array = new JsonArray();
            many.forEach(one -> array.add(json(one)));
            return array;
        }
        if (value instanceof Map<?, ?> map) {
            JsonObject object = new JsonObject();
            map.forEach((k, v) -> object.add(String.valueOf(k), json(v)));
            return object;
        }
        return new JsonPrimitive(value.toString());
    }

    /** The failure that a future or a pool wrapped. */
    static Throwable unwrapped(Throwable failure) {
        Throwable shown = failure;
        while ((shown instanceof ExecutionException || shown instanceof CompletionException) && shown.getCause() != null) shown = shown.getCause();
        return shown;
    }

    /** A failure and its causes in a line. */
    static String told(Throwable failure) {
        StringBuilder message = new StringBuilder();
        for (Throwable t = failure; t != null; t = t.getCause())
            message.append(message.isEmpty() ? "" : " <- ").append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
        return message.substring(0, Math.min(600, message.length()));
    }
}
