// Reading without a group: assigned partitions, from an offset, a time, the beginning or the end.
import com.google.gson.JsonElement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Reading {
    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("read", this::read);
        verbs.put("offsets", command -> {
            try (KafkaConsumer<byte[], byte[]> consumer = consumer(command)) {
                List<TopicPartition> one = List.of(Driver.partition(command));
                return Wire.of("begin", consumer.beginningOffsets(one).get(one.get(0)), "end", consumer.endOffsets(one).get(one.get(0)));
            }
        });
        verbs.put("timeOffset", command -> {
            try (KafkaConsumer<byte[], byte[]> consumer = consumer(command)) {
                TopicPartition one = Driver.partition(command);
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(one, command.number("timestamp", 0L))).get(one);
                return Wire.of("offset", found == null ? null : found.offset(), "timestamp", found == null ? null : found.timestamp());
            }
        });
    }

    static KafkaConsumer<byte[], byte[]> consumer(Wire.Command command) {
        Properties settings = Driver.settings(command);
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", command.text("reset", "none"));
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Polls until `count` records are there or time is over. */
    private JsonElement read(Wire.Command command) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(command)) {
            TopicPartition partition = Driver.partition(command);
            List<TopicPartition> one = List.of(partition);
            consumer.assign(one);
            switch (command.text("from", "begin")) {
                case "begin" -> consumer.seekToBeginning(one);
                case "end" -> consumer.seekToEnd(one);
                default -> consumer.seek(partition, command.number("from", 0L));
            }
            List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
            long began = System.nanoTime();
            long deadline = began + command.number("waitMs", 30_000L) * 1_000_000L;
            int count = command.number("count", 1);
            while (all.size() < count) {
                long leftMs = (deadline - System.nanoTime()) / 1_000_000L;
                if (leftMs <= 0) break;
                consumer.poll(Duration.ofMillis(leftMs)).forEach(all::add);
            }
            return Wire.of("records", Driver.shown(all.subList(0, Math.min(all.size(), count))), "position", consumer.position(partition), "tookMs", (System.nanoTime() - began) / 1_000_000L);
        }
    }
}
