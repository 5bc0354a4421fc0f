// Members of groups. Each has a thread that polls, because a consumer may be used by one thread alone; other verbs hand it
// work. With a journal every delivery, assignment and commit is written to a file before anything else happens, so that what
// a killed member was given is known.
import com.google.gson.JsonElement;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Grouping {
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private final Map<String, Member> members = new ConcurrentHashMap<>();
    private final AtomicInteger ids = new AtomicInteger();

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("subscribe", command -> {
            String id = "c" + ids.incrementAndGet();
            members.put(id, new Member(command));
            return Wire.of("consumer", id);
        });
        verbs.put("take", command -> Wire.of("records", Driver.shown(member(command).take(command.number("count", 1), command.number("waitMs", 30_000L)))));
        verbs.put("assigned", command -> member(command).run(consumer -> Wire.of(
            "partitions", consumer.assignment().stream().map(Driver::name).sorted().toList(),
            "member", consumer.groupMetadata().memberId(), "generation", consumer.groupMetadata().generationId())));
        verbs.put("rebalances", command -> Wire.of("rebalances", List.copyOf(member(command).rebalances)));
        verbs.put("commit", command -> member(command).run(consumer -> {
            if (command.has("offsets")) consumer.commitSync(offsets(command));
            else consumer.commitSync();
            return Wire.of();
        }));
        verbs.put("positions", command -> member(command).run(consumer -> {
            Map<String, Object> all = new HashMap<>();
            for (TopicPartition one : consumer.assignment()) all.put(Driver.name(one), consumer.position(one));
            return Wire.of("positions", all);
        }));
        verbs.put("committedBy", command -> member(command).run(consumer -> {
            OffsetAndMetadata found = consumer.committed(java.util.Set.of(Driver.partition(command))).get(Driver.partition(command));
            return Wire.of("offset", found == null ? null : found.offset(), "metadata", found == null ? null : found.metadata());
        }));
        verbs.put("seek", command -> member(command).run(consumer -> {
            consumer.seek(Driver.partition(command), command.number("offset", 0L));
            return Wire.of();
        }));
        verbs.put("pause", command -> member(command).run(consumer -> {
            if (command.flag("resume")) consumer.resume(List.of(Driver.partition(command)));
            else consumer.pause(List.of(Driver.partition(command)));
            return Wire.of();
        }));
        verbs.put("enforceRebalance", command -> member(command).run(consumer -> {
            consumer.enforceRebalance("asked for");
            return Wire.of();
        }));
        // Keeps the polling thread busy, as an application that takes too long for a record.
        verbs.put("stall", command -> {
            member(command).later(consumer -> {
                Thread.sleep(command.number("ms", 0L));
                return Wire.of();
            });
            return Wire.of();
        });
        verbs.put("close", command -> {
            members.remove(command.text("consumer")).close();
            return Wire.of();
        });
    }

    private Member member(Wire.Command command) {
        Member member = members.get(command.text("consumer"));
        if (member == null) throw new IllegalArgumentException("no consumer " + command.text("consumer"));
        return member;
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(Wire.Command command) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (JsonElement element : command.list("offsets")) {
            Wire.Command one = new Wire.Command(element.getAsJsonObject());
            offsets.put(Driver.partition(one), new OffsetAndMetadata(one.number("offset", 0L), one.text("metadata", "")));
        }
        return offsets;
    }

    interface Work {
        JsonElement run(KafkaConsumer<byte[], byte[]> consumer) throws Exception;
    }

    private record Job(Work work, CompletableFuture<JsonElement> done) {}

    private static final class Member implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final LinkedBlockingQueue<ConsumerRecord<byte[], byte[]>> inbox = new LinkedBlockingQueue<>();
        private final ConcurrentLinkedQueue<Job> jobs = new ConcurrentLinkedQueue<>();
        final ConcurrentLinkedQueue<String> rebalances = new ConcurrentLinkedQueue<>();
        private final FileOutputStream journal;
        private final boolean commitsEach;
        private final Thread thread;
        private volatile boolean isOver;

        Member(Wire.Command command) throws IOException {
            Properties settings = Driver.settings(command);
            settings.put("group.id", command.text("group"));
            settings.put("auto.offset.reset", command.text("from", "earliest"));
            settings.put("enable.auto.commit", command.flag("autoCommit"));
            settings.put("auto.commit.interval.ms", "200");
            settings.put("metadata.max.age.ms", command.number("metadataMs", 1_000));
            settings.put("session.timeout.ms", command.number("sessionMs", 10_000));
            settings.put("heartbeat.interval.ms", command.number("heartbeatMs", 300));
            if (command.has("pollMs")) settings.put("max.poll.interval.ms", command.number("pollMs", 0));
            if (command.has("pollRecords")) settings.put("max.poll.records", command.number("pollRecords", 0));
            if (command.has("instance")) settings.put("group.instance.id", command.text("instance"));
            settings.put("partition.assignment.strategy", ASSIGNORS.get(command.text("assignor", "range")));
            consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            journal = command.has("journal") ? new FileOutputStream(command.text("journal"), true) : null;
            commitsEach = command.flag("commitsEach");
            List<String> topics = new ArrayList<>();
            command.list("topics").forEach(one -> topics.add(one.getAsString()));
            if (command.has("pattern")) consumer.subscribe(java.util.regex.Pattern.compile(command.text("pattern")), this);
            else consumer.subscribe(topics, this);
            thread = new Thread(this::poll, "poll " + command.text("group"));
            thread.start();
        }

        private void poll() {
            while (!isOver) {
                try {
                    ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(jobs.isEmpty() ? 5_000 : 0));
                    for (ConsumerRecord<byte[], byte[]> record : records) {
                        write("D " + record.partition() + " " + record.offset() + " " + Driver.utf8(record.value()));
                        inbox.add(record);
                    }
                    if (commitsEach && !records.isEmpty()) commit();
                } catch (WakeupException woken) {
                    // There is a job.
                } catch (Exception failure) {
                    failure.printStackTrace();
                    rebalances.add("error " + Wire.told(failure));
                    pause();
                }
                for (Job job; (job = jobs.poll()) != null; ) {
                    work(job);
                }
            }
            consumer.close(Duration.ofSeconds(5));
            for (Job job; (job = jobs.poll()) != null; ) job.done.completeExceptionally(new IllegalStateException("closed"));
        }

        /** A wake-up that came for a later job, or when the poll was over already, is not for this one. */
        private void work(Job job) {
            for (int attempt = 0; ; attempt++) {
                try {
                    job.done.complete(job.work.run(consumer));
                    return;
                } catch (Throwable failure) {
                    if (failure instanceof WakeupException && attempt < 5) continue;
                    job.done.completeExceptionally(failure);
                    return;
                }
            }
        }

        /** A job may be asked for while a commit runs; the wake-up is then for the next poll, and the commit is made again. */
        private void commit() throws IOException {
            while (true) {
                long began = System.nanoTime();
                int generation = consumer.groupMetadata().generationId();
                try {
                    Map<TopicPartition, OffsetAndMetadata> at = new HashMap<>();
                    for (TopicPartition one : consumer.assignment()) at.put(one, new OffsetAndMetadata(consumer.position(one)));
                    consumer.commitSync(at);
                    String told = at.entrySet().stream().map(e -> e.getKey().partition() + ":" + e.getValue().offset()).collect(Collectors.joining(","));
                    write("C " + began + " " + generation + " " + told);
                    return;
                } catch (WakeupException woken) {
                    // Once more.
                } catch (org.apache.kafka.common.errors.RebalanceInProgressException | org.apache.kafka.clients.consumer.CommitFailedException refused) {
                    write("F " + began + " " + generation + " " + refused.getClass().getSimpleName());
                    return;
                }
            }
        }

        private static void pause() {
            try {
                Thread.sleep(200);
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }

        private void write(String line) throws IOException {
            if (journal != null) journal.write((System.nanoTime() + " " + line + "\n").getBytes(StandardCharsets.UTF_8));
        }

        private void tell(String what, Collection<TopicPartition> partitions) {
            String told = partitions.stream().map(Driver::name).sorted().collect(Collectors.joining(","));
            rebalances.add(what + " " + told);
            try {
                String held = consumer.assignment().stream().filter(one -> what.equals("assigned") || !partitions.contains(one))
                    .map(one -> "" + one.partition()).sorted().collect(Collectors.joining(","));
                write((what.equals("assigned") ? "A " : "R ") + consumer.groupMetadata().generationId() + " " + held);
            } catch (IOException failure) {
                throw new java.io.UncheckedIOException(failure);
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("lost", partitions);
        }

        JsonElement run(Work work) throws Exception {
            return later(work).get(60, TimeUnit.SECONDS);
        }

        CompletableFuture<JsonElement> later(Work work) {
            CompletableFuture<JsonElement> done = new CompletableFuture<>();
            jobs.add(new Job(work, done));
            consumer.wakeup();
            return done;
        }

        List<ConsumerRecord<byte[], byte[]>> take(int count, long waitMs) throws InterruptedException {
            List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
            long deadline = System.nanoTime() + waitMs * 1_000_000L;
            while (all.size() < count) {
                ConsumerRecord<byte[], byte[]> next = inbox.poll(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
                if (next == null) break;
                all.add(next);
            }
            return all;
        }

        void close() throws InterruptedException {
            isOver = true;
            consumer.wakeup();
            thread.join(20_000);
        }
    }
}
