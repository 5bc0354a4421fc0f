// The verbs on kafka-clients: an idempotent producer by default, reads by assigned offset, consumer groups.
package compat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class KafkaVerbs {
    private static final int REQUEST_TIMEOUT_MS = 10_000;
    private static final int DELIVERY_TIMEOUT_MS = 30_000;

    private final String bootstrap;
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new ConcurrentHashMap<>();
    private final Map<String, Subscription> subscriptions = new ConcurrentHashMap<>();
    private final AtomicInteger ids = new AtomicInteger();
    private Admin admin;

    KafkaVerbs(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    void register(Map<String, Driver.Verb> verbs) {
        verbs.put("kafka.createTopic", this::createTopic);
        verbs.put("kafka.publish", this::publish);
        verbs.put("kafka.read", this::read);
        verbs.put("kafka.offsets", this::offsets);
        verbs.put("kafka.subscribe", this::subscribe);
        verbs.put("kafka.take", this::take);
        verbs.put("kafka.settle", this::settle);
        verbs.put("kafka.close", this::close);
        verbs.put("kafka.position", this::position);
    }

    private synchronized Admin admin() {
        if (admin == null) {
            admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", REQUEST_TIMEOUT_MS, "default.api.timeout.ms", 20_000));
        }
        return admin;
    }

    private JsonObject createTopic(JsonObject command) throws Exception {
        NewTopic topic = new NewTopic(command.get("topic").getAsString(), Wire.number(command, "queues", 1), (short) 1);
        topic.configs(Wire.texts(command, "configs"));
        admin().createTopics(List.of(topic)).all().get(20, TimeUnit.SECONDS);
        return new JsonObject();
    }

    private KafkaProducer<byte[], byte[]> producer(JsonObject command) {
        String compression = Wire.text(command, "compression", "none");
        String acks = Wire.text(command, "acks", "all");
        boolean idempotent = Wire.flag(command, "idempotent", acks.equals("all"));
        int lingerMs = Wire.number(command, "lingerMs", 5);
        String name = Wire.text(command, "producer", "p") + compression + acks + idempotent + lingerMs;
        return producers.computeIfAbsent(name, n -> {
            Map<String, Object> config = new HashMap<>();
            config.put("bootstrap.servers", bootstrap);
            config.put("compression.type", compression);
            config.put("acks", acks);
            config.put("enable.idempotence", idempotent);
            config.put("linger.ms", lingerMs);
            config.put("batch.size", 4 << 20);
            config.put("max.request.size", 8 << 20);
            config.put("request.timeout.ms", REQUEST_TIMEOUT_MS);
            config.put("delivery.timeout.ms", DELIVERY_TIMEOUT_MS);
            config.put("max.block.ms", 20_000);
            config.put("reconnect.backoff.max.ms", 200);
            return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        });
    }

    private JsonObject publish(JsonObject command) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(command);
        String topic = command.get("topic").getAsString();
        List<Future<RecordMetadata>> pending = new ArrayList<>();
        for (JsonElement element : Wire.list(command, "messages")) {
            JsonObject message = element.getAsJsonObject();
            Integer queue = message.has("queue") ? message.get("queue").getAsInt() : null;
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, queue, Wire.bytes(message, "key"), Wire.bytes(message, "body"));
            Wire.texts(message, "headers").forEach((k, v) -> record.headers().add(k, v.getBytes(StandardCharsets.UTF_8)));
            Wire.binaries(message, "binaryHeaders").forEach((k, v) -> record.headers().add(k, v));
            String tag = Wire.text(message, "tag", null);
            if (tag != null) record.headers().add("TAGS", tag.getBytes(StandardCharsets.UTF_8));
            pending.add(producer.send(record));
        }
        producer.flush();
        JsonArray results = new JsonArray();
        for (Future<RecordMetadata> one : pending) {
            JsonObject result = new JsonObject();
            try {
                RecordMetadata metadata = one.get();
                result.addProperty("queue", metadata.partition());
                result.addProperty("offset", metadata.hasOffset() ? metadata.offset() : -1);
            } catch (Exception failure) {
                result.add("error", Wire.error(failure));
            }
            results.add(result);
        }
        return Wire.of("results", results);
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(Map.of(
            "bootstrap.servers", bootstrap, "enable.auto.commit", false, "auto.offset.reset", "earliest",
            "max.partition.fetch.bytes", 8 << 20, "request.timeout.ms", REQUEST_TIMEOUT_MS, "default.api.timeout.ms", 20_000,
            "reconnect.backoff.max.ms", 200));
        config.putAll(more);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private JsonObject read(JsonObject command) {
        String topic = command.get("topic").getAsString();
        int count = Wire.number(command, "count", Integer.MAX_VALUE);
        int bodyBytesMax = Wire.number(command, "bodyBytesMax", Integer.MAX_VALUE);
        long deadline = System.nanoTime() + Wire.number(command, "waitMs", 10_000) * 1_000_000L;
        Map<String, Object> config = new HashMap<>();
        config.put("isolation.level", Wire.text(command, "isolation", "read_uncommitted"));
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(config)) {
            List<TopicPartition> partitions = new ArrayList<>();
            if (command.has("queue")) partitions.add(new TopicPartition(topic, command.get("queue").getAsInt()));
            else consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
            consumer.assign(partitions);
            partitions.forEach(p -> consumer.seek(p, command.has("from") ? command.get("from").getAsLong() : 0L));
            JsonArray messages = new JsonArray();
            while (messages.size() < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (messages.size() < count) messages.add(message(record, bodyBytesMax));
                }
            }
            return Wire.of("messages", messages);
        }
    }

    private static JsonObject message(ConsumerRecord<byte[], byte[]> record, int bodyBytesMax) {
        JsonObject message = new JsonObject();
        message.addProperty("topic", record.topic());
        message.addProperty("queue", record.partition());
        message.addProperty("offset", record.offset());
        message.addProperty("timestamp", record.timestamp());
        message.add("key", Wire.base64(record.key()));
        byte[] body = record.value();
        message.add("body", Wire.base64(body != null && body.length > bodyBytesMax ? Arrays.copyOf(body, bodyBytesMax) : body));
        JsonObject headers = new JsonObject();
        message.add("tag", JsonNull.INSTANCE);
        for (Header header : record.headers()) {
            if (header.key().equals("TAGS")) message.addProperty("tag", new String(header.value(), StandardCharsets.UTF_8));
            else headers.add(header.key(), Wire.base64(header.value()));
        }
        message.add("headers", headers);
        message.addProperty("handle", record.topic() + "/" + record.partition() + "/" + record.offset());
        return message;
    }

    private JsonObject offsets(JsonObject command) throws Exception {
        TopicPartition partition = new TopicPartition(command.get("topic").getAsString(), Wire.number(command, "queue", 0));
        JsonObject reply = new JsonObject();
        reply.addProperty("first", admin().listOffsets(Map.of(partition, OffsetSpec.earliest())).all().get(20, TimeUnit.SECONDS).get(partition).offset());
        reply.addProperty("next", admin().listOffsets(Map.of(partition, OffsetSpec.latest())).all().get(20, TimeUnit.SECONDS).get(partition).offset());
        return reply;
    }

    /** A member of a group. KafkaConsumer belongs to one thread at a time: every use holds the subscription's monitor. */
    private static final class Subscription {
        final KafkaConsumer<byte[], byte[]> consumer;
        final ArrayDeque<JsonObject> ready = new ArrayDeque<>();

        Subscription(KafkaConsumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }
    }

    private JsonObject subscribe(JsonObject command) {
        Map<String, Object> config = new HashMap<>();
        config.put("group.id", command.get("group").getAsString());
        config.put("auto.offset.reset", Wire.text(command, "from", "earliest"));
        config.put("group.protocol", Wire.text(command, "groupProtocol", "classic"));
        config.put("session.timeout.ms", Wire.number(command, "sessionTimeoutMs", 10_000));
        config.put("heartbeat.interval.ms", 500);
        if (command.has("instance")) config.put("group.instance.id", command.get("instance").getAsString());
        Subscription subscription = new Subscription(consumer(config));
        subscription.consumer.subscribe(List.of(command.get("topic").getAsString()));
        String id = "k" + ids.incrementAndGet();
        subscriptions.put(id, subscription);
        return Wire.of("consumer", new com.google.gson.JsonPrimitive(id));
    }

    private Subscription subscription(JsonObject command) {
        return subscriptions.get(command.get("consumer").getAsString());
    }

    private JsonObject take(JsonObject command) {
        Subscription subscription = subscription(command);
        int count = Wire.number(command, "count", 1);
        long deadline = System.nanoTime() + Wire.number(command, "waitMs", 10_000) * 1_000_000L;
        JsonArray messages = new JsonArray();
        synchronized (subscription) {
            while (true) {
                while (messages.size() < count && !subscription.ready.isEmpty()) messages.add(subscription.ready.poll());
                if (messages.size() >= count || System.nanoTime() >= deadline) break;
                for (ConsumerRecord<byte[], byte[]> record : subscription.consumer.poll(Duration.ofMillis(100))) subscription.ready.add(message(record, Integer.MAX_VALUE));
            }
            JsonObject reply = Wire.of("messages", messages);
            JsonArray owned = new JsonArray();
            subscription.consumer.assignment().forEach(p -> owned.add(p.partition()));
            reply.add("queues", owned);
            return reply;
        }
    }

    /** Commits, per partition, the offset after the highest of the given handles. */
    private JsonObject settle(JsonObject command) {
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        for (JsonElement element : Wire.list(command, "handles")) {
            String handle = element.getAsString();
            int last = handle.lastIndexOf('/');
            int middle = handle.lastIndexOf('/', last - 1);
            TopicPartition partition = new TopicPartition(handle.substring(0, middle), Integer.parseInt(handle.substring(middle + 1, last)));
            long next = Long.parseLong(handle.substring(last + 1)) + 1;
            positions.merge(partition, new OffsetAndMetadata(next, Optional.empty(), ""), (a, b) -> a.offset() > b.offset() ? a : b);
        }
        Subscription subscription = subscription(command);
        synchronized (subscription) {
            subscription.consumer.commitSync(positions);
        }
        return new JsonObject();
    }

    private JsonObject close(JsonObject command) {
        Subscription subscription = subscriptions.remove(command.get("consumer").getAsString());
        synchronized (subscription) {
            subscription.consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ofSeconds(5)));
        }
        return new JsonObject();
    }

    private JsonObject position(JsonObject command) throws Exception {
        String topic = command.get("topic").getAsString();
        JsonObject queues = new JsonObject();
        admin().listConsumerGroupOffsets(command.get("group").getAsString()).partitionsToOffsetAndMetadata().get(20, TimeUnit.SECONDS).forEach((partition, offset) -> {
            if (partition.topic().equals(topic) && offset != null) queues.addProperty(String.valueOf(partition.partition()), offset.offset());
        });
        return Wire.of("queues", queues);
    }
}
