// Kafka's Java client as a process; the same sources are compiled against each client version. The verbs are listed in
// compat-tests/kafka/client.ts. What all verbs share is here: settings, records as JSON, errors with Kafka's codes.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;

public final class Driver {
    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        Map<String, Wire.Verb> verbs = new HashMap<>();
        new Producing().register(verbs);
        new Reading().register(verbs);
        new Grouping().register(verbs);
        new Administering().register(verbs);
        Wire.serve(verbs, Driver::error);
    }

    /** Settings of a client: where the broker is, and what the command's `config` says. */
    static Properties settings(Wire.Command command) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        // Tests start and stop brokers: a client should find them again soon.
        settings.put("reconnect.backoff.max.ms", "500");
        settings.put("default.api.timeout.ms", "30000");
        settings.put("request.timeout.ms", "20000");
        settings.putAll(command.texts("config"));
        return settings;
    }

    /** The failure by its class, with the code that the protocol has for it. */
    static JsonObject error(Throwable failure) {
        Throwable shown = Wire.unwrapped(failure);
        Integer code = null;
        for (Throwable t = shown; t != null && code == null; t = t.getCause()) {
            Errors known = Errors.forException(t);
            if (known != Errors.UNKNOWN_SERVER_ERROR) code = (int) known.code();
        }
        return Wire.of("kind", shown.getClass().getSimpleName(), "message", Wire.told(shown), "code", code);
    }

    static byte[] bytes(JsonElement base64) {
        return base64 == null || base64.isJsonNull() ? null : Base64.getDecoder().decode(base64.getAsString());
    }

    static String base64(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    static String utf8(byte[] bytes) {
        return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
    }

    static String name(TopicPartition partition) {
        return partition.topic() + "/" + partition.partition();
    }

    static TopicPartition partition(String name) {
        int slash = name.lastIndexOf('/');
        return new TopicPartition(name.substring(0, slash), Integer.parseInt(name.substring(slash + 1)));
    }

    static TopicPartition partition(Wire.Command command) {
        return new TopicPartition(command.text("topic"), command.number("partition", 0));
    }

    static JsonObject shown(ConsumerRecord<byte[], byte[]> record) {
        JsonArray headers = new JsonArray();
        for (Header header : record.headers()) {
            JsonArray pair = new JsonArray();
            pair.add(header.key());
            pair.add(Wire.json(base64(header.value())));
            headers.add(pair);
        }
        return Wire.of(
            "topic", record.topic(), "partition", record.partition(), "offset", record.offset(), "key", base64(record.key()),
            "value", base64(record.value()), "headers", headers, "timestamp", record.timestamp(),
            "timestampType", record.timestampType(), "epoch", record.leaderEpoch().orElse(null));
    }

    static List<JsonObject> shown(Iterable<ConsumerRecord<byte[], byte[]>> records) {
        List<JsonObject> all = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : records) all.add(shown(record));
        return all;
    }
}
