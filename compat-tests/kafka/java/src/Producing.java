// Producers: one per set of settings, kept until the process ends.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Producing {
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new ConcurrentHashMap<>();

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("produce", this::produce);
        verbs.put("partitionsFor", command -> Wire.of("partitions", producer(command).partitionsFor(command.text("topic")).stream().map(one -> one.partition()).sorted().toList()));
        verbs.put("closeProducers", command -> {
            for (KafkaProducer<byte[], byte[]> producer : producers.values()) producer.close();
            producers.clear();
            return Wire.of();
        });
    }

    private KafkaProducer<byte[], byte[]> producer(Wire.Command command) {
        Wire.Command wanted = command.part("producer");
        return producers.computeIfAbsent(wanted.json() + "" + command.json().get("config"), key -> {
            Properties settings = Driver.settings(command);
            settings.putIfAbsent("delivery.timeout.ms", "45000");
            settings.putIfAbsent("max.block.ms", "15000");
            settings.put("acks", wanted.text("acks", "all"));
            settings.put("enable.idempotence", wanted.flag("idempotent"));
            settings.put("compression.type", wanted.text("compression", "none"));
            settings.put("linger.ms", wanted.number("lingerMs", 0));
            if (wanted.has("batchBytes")) settings.put("batch.size", wanted.number("batchBytes", 0));
            if (wanted.has("requestBytesMax")) settings.put("max.request.size", wanted.number("requestBytesMax", 0));
            return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        });
    }

    /** Sends all messages, then waits for each; with `oneByOne` a send waits for the one before. */
    private JsonElement produce(Wire.Command command) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(command);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        JsonArray results = new JsonArray();
        for (JsonElement element : command.list("messages")) {
            JsonObject message = element.getAsJsonObject();
            Wire.Command fields = new Wire.Command(message);
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(
                command.text("topic"), fields.has("partition") ? (Integer) fields.number("partition", 0) : null,
                fields.has("timestamp") ? (Long) fields.number("timestamp", 0L) : null, Driver.bytes(message.get("key")), Driver.bytes(message.get("value")));
            for (JsonElement pair : fields.list("headers"))
                record.headers().add(new RecordHeader(pair.getAsJsonArray().get(0).getAsString(), Driver.bytes(pair.getAsJsonArray().get(1))));
            Future<RecordMetadata> future = producer.send(record);
            if (command.flag("oneByOne")) results.add(result(future));
            else sent.add(future);
        }
        if (!command.flag("oneByOne")) producer.flush();
        for (Future<RecordMetadata> future : sent) results.add(result(future));
        return Wire.of("results", results);
    }

    private static JsonObject result(Future<RecordMetadata> future) {
        try {
            RecordMetadata stored = future.get();
            return Wire.of("partition", stored.partition(), "offset", stored.hasOffset() ? stored.offset() : -1, "timestamp", stored.hasTimestamp() ? stored.timestamp() : -1);
        } catch (Exception failure) {
            return Wire.of("error", Driver.error(failure));
        }
    }
}
