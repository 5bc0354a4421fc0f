// Push consumers. What each delivery was is kept in a list that the suite reads; which deliveries fail, and how, is said
// by rules when the consumer is made: so a listener never waits for the suite.
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

final class Pushing {
    private final String namesrv;
    private final Map<String, Push> pushes = new ConcurrentHashMap<>();

    Pushing(String namesrv) {
        this.namesrv = namesrv;
    }

    /** A consumer, its rules and what it was given. */
    private static final class Push {
        final DefaultMQPushConsumer consumer;
        final List<Wire.Command> rules = new ArrayList<>();
        final List<JsonObject> deliveries = new ArrayList<>();
        final Map<String, Integer> seen = new ConcurrentHashMap<>();
        final FileOutputStream journal;
        final String member;

        Push(DefaultMQPushConsumer consumer, FileOutputStream journal, String member) {
            this.consumer = consumer;
            this.journal = journal;
            this.member = member;
        }

        /** One write for each delivery, before anything else: it outlives a kill of this process. */
        private void write(MessageExt message, String body) {
            String line = String.join(" ", member, "" + message.getQueueId(), "" + message.getQueueOffset(),
                "" + message.getReconsumeTimes(), "" + System.nanoTime(), body) + "\n";
            try {
                journal.write(line.getBytes(StandardCharsets.UTF_8));
            } catch (IOException full) {
                throw new UncheckedIOException(full);
            }
        }

        /** Records a delivery; says whether it succeeds. A rule names a body's beginning and how many deliveries fail. */
        boolean deliver(MessageExt message) {
            if (journal != null) {
                write(message, new String(message.getBody(), StandardCharsets.UTF_8));
                return !fails(message);
            }
            JsonObject shown = Driver.shown(message);
            shown.addProperty("at", System.currentTimeMillis());
            shown.addProperty("thread", Thread.currentThread().getName());
            int times = seen.merge(message.getMsgId(), 1, Integer::sum);
            synchronized (deliveries) {
                deliveries.add(shown);
                deliveries.notifyAll();
            }
            String body = shown.get("body").getAsString();
            for (Wire.Command rule : rules) {
                if (!body.startsWith(rule.text("body"))) continue;
                if (times > rule.number("times", Integer.MAX_VALUE)) return true;
                sleep(rule.number("sleepMs", 0));
                if (rule.text("result", "later").equals("throw")) throw new IllegalStateException("as the rule says");
                return rule.text("result", "later").equals("done");
            }
            return true;
        }

        /** With a journal the count of failures is the message's own where it has one: it holds across members. */
        private boolean fails(MessageExt message) {
            String body = new String(message.getBody(), StandardCharsets.UTF_8);
            int times = Math.max(message.getReconsumeTimes() + 1, seen.merge(message.getMsgId(), 1, Integer::sum));
            return rules.stream().anyMatch(rule -> body.startsWith(rule.text("body")) && times <= rule.number("times", Integer.MAX_VALUE));
        }

        private static void sleep(int ms) {
            try {
                Thread.sleep(ms);
            } catch (InterruptedException over) {
                Thread.currentThread().interrupt();
            }
        }
    }

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("subscribe", this::subscribe);
        verbs.put("received", this::received);
        verbs.put("assigned", command -> {
            List<String> queues = new ArrayList<>();
            push(command).consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()
                .forEach(queue -> queues.add(queue.getTopic() + "/" + queue.getQueueId()));
            return Wire.of("queues", queues.stream().filter(name -> !name.startsWith("%RETRY%")).sorted().toList());
        });
        verbs.put("suspend", command -> {
            push(command).consumer.suspend();
            return Wire.of();
        });
        verbs.put("resume", command -> {
            push(command).consumer.resume();
            return Wire.of();
        });
        verbs.put("unsubscribe", command -> {
            push(command).consumer.unsubscribe(command.text("topic"));
            return Wire.of();
        });
        verbs.put("close", command -> {
            Push push = push(command);
            push.consumer.setAwaitTerminationMillisWhenShutdown(command.number("waitMs", 200L));
            push.consumer.shutdown();
            pushes.remove(command.text("consumer"));
            return Wire.of();
        });
    }

    private Push push(Wire.Command command) {
        Push push = pushes.get(command.text("consumer"));
        if (push == null) throw new IllegalArgumentException("no consumer " + command.text("consumer"));
        return push;
    }

    private JsonElement subscribe(Wire.Command command) throws Exception {
        String group = command.text("group");
        DefaultMQPushConsumer consumer = command.flag("trace")
            ? new DefaultMQPushConsumer(group, true, command.text("traceTopic", null)) : new DefaultMQPushConsumer(group, Driver.hook(command.part("client")), new AllocateMessageQueueAveragely());
        Driver.connect(consumer, command.part("client"), namesrv);
        consumer.setInstanceName(command.text("instance", Driver.instance()));
        if (command.has("namespace")) consumer.setNamespace(command.text("namespace"));
        if (command.flag("broadcast")) consumer.setMessageModel(Enum.valueOf(consumer.getMessageModel().getDeclaringClass(), "BROADCASTING"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.valueOf("CONSUME_FROM_" + command.text("from", "FIRST_OFFSET")));
        if (command.has("timestamp")) consumer.setConsumeTimestamp(command.text("timestamp"));
        consumer.setMaxReconsumeTimes(command.number("maxReconsume", -1));
        int threads = command.number("threads", 4);
        consumer.setConsumeThreadMin(threads);
        consumer.setConsumeThreadMax(threads);
        consumer.setConsumeMessageBatchMaxSize(command.number("batch", 1));
        consumer.setSuspendCurrentQueueTimeMillis(command.number("suspendMs", 1_000L));
        consumer.setConsumeTimeout(command.number("consumeTimeoutMin", 15L));
        consumer.setHeartbeatBrokerInterval(command.number("heartbeatMs", 30_000));
        consumer.setPersistConsumerOffsetInterval(command.number("persistMs", 500));
        for (var topic : command.texts("topics").entrySet()) consumer.subscribe(topic.getKey(), topic.getValue());
        FileOutputStream journal = command.has("journal") ? new FileOutputStream(command.text("journal"), true) : null;
        Push push = new Push(consumer, journal, command.text("member", ""));
        for (JsonElement rule : command.list("rules")) push.rules.add(new Wire.Command(rule.getAsJsonObject()));
        int retryLevel = command.number("retryLevel", 0);
        if (command.flag("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (List<MessageExt> messages, ConsumeOrderlyContext context) -> {
                for (MessageExt message : messages) if (!push.deliver(message)) return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (List<MessageExt> messages, ConsumeConcurrentlyContext context) -> {
                context.setDelayLevelWhenNextConsume(retryLevel);
                for (MessageExt message : messages) if (!push.deliver(message)) return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        String id = "p" + Driver.instance();
        pushes.put(id, push);
        return Wire.of("consumer", id, "client", consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId());
    }

    /** Deliveries from the given one on, once there are `count` of them or time is over. */
    private JsonElement received(Wire.Command command) throws Exception {
        Push push = push(command);
        int from = command.number("from", 0);
        long deadline = System.nanoTime() + command.number("waitMs", 30_000L) * 1_000_000L;
        synchronized (push.deliveries) {
            while (push.deliveries.size() < from + command.number("count", 1)) {
                long leftMs = (deadline - System.nanoTime()) / 1_000_000L;
                if (leftMs <= 0) break;
                push.deliveries.wait(leftMs);
            }
            return Wire.of("messages", new ArrayList<>(push.deliveries.subList(Math.min(from, push.deliveries.size()), push.deliveries.size())));
        }
    }
}
