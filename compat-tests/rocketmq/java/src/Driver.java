// The RocketMQ client as a process: JSON lines with commands on stdin, JSON lines with replies on stdout, matched by id,
// what the client logs on stderr. The same sources are compiled against each client version, so types that moved between
// packages are never named (`var`). Commands run side by side; the caller orders them by awaiting replies. The verbs
// are listed in compat-tests/rocketmq/client.ts.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;

public final class Driver {
    interface Verb {
        JsonElement run(Command command) throws Exception;
    }

    private static final PrintStream REPLIES = System.out;
    private static final AtomicInteger IDS = new AtomicInteger();

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

    public static void main(String[] args) throws Exception {
        System.setOut(System.err);
        String namesrv = args[0];
        Map<String, Verb> verbs = new HashMap<>();
        new Sending(namesrv).register(verbs);
        new Pushing(namesrv).register(verbs);
        new Pulling(namesrv).register(verbs);
        new Administering(namesrv).register(verbs);
        ExecutorService pool = Executors.newCachedThreadPool();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = commands.readLine()) != null; ) {
            Command command = new Command(JsonParser.parseString(line).getAsJsonObject());
            pool.execute(() -> answer(verbs, command));
        }
        Runtime.getRuntime().halt(0);
    }

    private static void answer(Map<String, Verb> verbs, Command command) {
        JsonObject reply = new JsonObject();
        reply.add("id", command.json.get("id"));
        try {
            Verb verb = verbs.get(command.text("op"));
            if (verb == null) throw new UnsupportedOperationException("unknown verb " + command.text("op"));
            reply.add("ok", verb.run(command));
        } catch (Throwable failure) {
            failure.printStackTrace();
            reply.add("error", error(failure));
        }
        synchronized (REPLIES) {
            REPLIES.println(reply);
            REPLIES.flush();
        }
    }

    /** Where a client connects to and how: {namesrv?, tls?, vip?}. */
    static void connect(ClientConfig client, Command options, String namesrv) {
        client.setNamesrvAddr(options.text("namesrv", namesrv));
        client.setUseTLS(options.flag("tls"));
        client.setVipChannelEnabled(options.flag("vip"));
        client.setPollNameServerInterval(1_000);
    }

    /** What signs a client's requests: {accessKey, secretKey}; null without them. */
    static RPCHook hook(Command options) {
        return options.has("accessKey") ? new AclClientRPCHook(new SessionCredentials(options.text("accessKey"), options.text("secretKey"))) : null;
    }

    /** An instance name that no other client of any process has. */
    static String instance() {
        return "i" + ProcessHandle.current().pid() + "x" + IDS.incrementAndGet();
    }

    static JsonObject of(Object... pairs) {
        JsonObject object = new JsonObject();
        for (int i = 0; i < pairs.length; i += 2) object.add((String) pairs[i], json(pairs[i + 1]));
        return object;
    }

    static JsonElement json(Object value) {
        if (value == null) return com.google.gson.JsonNull.INSTANCE;
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

    /** The broker's or client's error, from the innermost cause that has a code. */
    static JsonObject error(Throwable failure) {
        Throwable shown = failure;
        while (shown instanceof ExecutionException && shown.getCause() != null) shown = shown.getCause();
        Integer code = null;
        StringBuilder message = new StringBuilder();
        for (Throwable t = shown; t != null; t = t.getCause()) {
            message.append(message.isEmpty() ? "" : " <- ").append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
            if (t instanceof MQBrokerException broker) code = broker.getResponseCode();
            else if (t instanceof MQClientException client && code == null && client.getResponseCode() > 0) code = client.getResponseCode();
        }
        return of("kind", shown.getClass().getSimpleName(), "message", message.substring(0, Math.min(600, message.length())), "code", code);
    }

    static String crc(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return Long.toHexString(crc.getValue());
    }

    /** A received message; a long body is told by its beginning, length and CRC. */
    static JsonObject shown(MessageExt from) {
        byte[] body = from.getBody() == null ? new byte[0] : from.getBody();
        String text = new String(body, StandardCharsets.UTF_8);
        return of(
            "topic", from.getTopic(), "queue", from.getQueueId(), "offset", from.getQueueOffset(),
            "body", text.substring(0, Math.min(200, text.length())), "bytes", body.length, "crc", crc(body),
            "attempts", from.getReconsumeTimes(), "key", from.getKeys(), "tag", from.getTags(), "id", from.getMsgId(),
            "flag", from.getFlag(), "sysFlag", from.getSysFlag(), "storeSize", from.getStoreSize(), "bornAt", from.getBornTimestamp(), "storedAt", from.getStoreTimestamp(),
            "bornHost", String.valueOf(from.getBornHost()), "storeHost", String.valueOf(from.getStoreHost()),
            "physicalOffset", String.valueOf(from.getCommitLogOffset()), "properties", from.getProperties());
    }

    static JsonArray shown(List<MessageExt> from) {
        JsonArray all = new JsonArray();
        if (from != null) from.forEach(one -> all.add(shown(one)));
        return all;
    }
}
