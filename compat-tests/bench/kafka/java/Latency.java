// End-to-end latency at a fixed rate: each record carries the time when it was due, so that a send that had to wait counts
// from when it should have been made; a consumer of the same process takes the difference. Prints one line of JSON with
// microseconds. Arguments: bootstrap, topic, records per second, seconds, bytes of a record, acks.
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Latency {
    private static final int WARM_UP_SECONDS = 3;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int perSecond = Integer.parseInt(args[2]);
        int total = perSecond * (WARM_UP_SECONDS + Integer.parseInt(args[3]));
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("acks", args[5]);
        settings.put("batch.size", "65536");
        settings.put("auto.offset.reset", "earliest");
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        List<TopicPartition> partitions = producer.partitionsFor(topic).stream().map(one -> new TopicPartition(topic, one.partition())).toList();
        long[] latencies = new long[total];
        AtomicInteger failed = new AtomicInteger();
        int skipped = perSecond * WARM_UP_SECONDS;
        Thread reading = new Thread(() -> {
            try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
                int got = 0;
                long deadline = System.nanoTime() + (WARM_UP_SECONDS + Integer.parseInt(args[3]) + 20) * 1_000_000_000L;
                while (got + failed.get() < total && System.nanoTime() < deadline)
                    for (ConsumerRecord<byte[], byte[]> one : consumer.poll(Duration.ofMillis(500)))
                        latencies[got++] = System.nanoTime() - ByteBuffer.wrap(one.value()).getLong();
                long[] counted = Arrays.copyOfRange(latencies, Math.min(skipped, got), got);
                Arrays.sort(counted);
                System.out.printf("{\"p50\":%d,\"p99\":%d,\"p999\":%d,\"max\":%d,\"failed\":%d,\"records\":%d}%n",
                    at(counted, 0.5), at(counted, 0.99), at(counted, 0.999), at(counted, 1), failed.get(), counted.length);
            }
        });
        reading.start();
        Thread.sleep(1_000);
        long began = System.nanoTime();
        byte[] body = new byte[Integer.parseInt(args[4])];
        for (int i = 0; i < total; i++) {
            long due = began + i * 1_000_000_000L / perSecond;
            for (long left; (left = due - System.nanoTime()) > 0; ) LockSupport.parkNanos(left);
            byte[] value = body.clone();
            ByteBuffer.wrap(value).putLong(due);
            producer.send(new ProducerRecord<>(topic, value), (stored, failure) -> {
                if (failure != null) failed.incrementAndGet();
            });
        }
        producer.flush();
        reading.join();
        Runtime.getRuntime().halt(0);
    }

    private static long at(long[] sorted, double part) {
        return sorted.length == 0 ? -1 : sorted[(int) Math.min(sorted.length - 1, Math.floor(sorted.length * part))] / 1_000;
    }
}
