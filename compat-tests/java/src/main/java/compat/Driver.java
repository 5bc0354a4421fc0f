// The Java driver: one process that serves the suites' verbs with the three Java clients. Commands arrive as JSON lines
// on stdin, replies leave as JSON lines on stdout, matched by id; everything the clients log goes to stderr. Commands
// run side by side (a blocking take does not hold up a publish), so the caller orders them by awaiting replies.
// The verbs and the shapes of messages are described in compat-tests/drivers/driver.ts.
package compat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public final class Driver {
    interface Verb {
        JsonObject run(JsonObject command) throws Exception;
    }

    private static final PrintStream REPLIES = System.out;

    public static void main(String[] args) throws Exception {
        System.setOut(System.err);
        Map<String, String> options = options(args);
        Map<String, Verb> verbs = new HashMap<>();
        new KafkaVerbs(options.get("kafka")).register(verbs);
        new RocketmqVerbs(options.get("rocketmq")).register(verbs);
        new AmqpVerbs(options.get("amqp")).register(verbs);

        ExecutorService pool = Executors.newCachedThreadPool();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            JsonObject command = JsonParser.parseString(line).getAsJsonObject();
            pool.execute(() -> answer(verbs, command));
        }
        System.exit(0);
    }

    private static void answer(Map<String, Verb> verbs, JsonObject command) {
        JsonObject reply = new JsonObject();
        reply.add("id", command.get("id"));
        String op = command.get("op").getAsString();
        try {
            Verb verb = verbs.get(op);
            if (verb == null) throw new UnsupportedOperationException("unknown verb " + op);
            reply.add("ok", verb.run(command));
        } catch (Throwable failure) {
            reply.add("error", Wire.error(failure));
        }
        synchronized (REPLIES) {
            REPLIES.println(reply);
            REPLIES.flush();
        }
    }

    private static Map<String, String> options(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            options.put(arg.substring(2, equals), arg.substring(equals + 1));
        }
        return options;
    }
}
