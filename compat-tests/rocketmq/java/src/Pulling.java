// Reading by offset: the pull consumer (one request, one answer) and the lite pull consumer (assign, subscribe, seek).
import com.google.gson.JsonElement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.consumer.store.RemoteBrokerOffsetStore;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

final class Pulling {
    private final String namesrv;
    private final Map<String, DefaultMQPullConsumer> pullers = new ConcurrentHashMap<>();
    private final Map<String, DefaultLitePullConsumer> lites = new ConcurrentHashMap<>();

    Pulling(String namesrv) {
        this.namesrv = namesrv;
    }

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("pull", this::pull);
        verbs.put("offsets", this::offsets);
        verbs.put("searchOffset", command -> Wire.of("offset", puller(command).searchOffset(queue(command), command.number("timestamp", 0L))));
        verbs.put("readQueues", command -> {
            List<Integer> queues = new ArrayList<>();
            for (MessageQueue queue : puller(command).fetchSubscribeMessageQueues(command.text("topic"))) queues.add(queue.getQueueId());
            return Wire.of("queues", queues.stream().sorted().toList());
        });
        // A pull consumer of the group itself would be one of its members and take queues: the group is only named.
        verbs.put("commit", command -> {
            store(command).updateConsumeOffsetToBroker(queue(command), command.number("offset", 0L), false);
            return Wire.of();
        });
        verbs.put("committed", command -> Wire.of("offset", store(command).readOffset(queue(command), ReadOffsetType.READ_FROM_STORE)));
        verbs.put("liteOpen", this::liteOpen);
        verbs.put("litePoll", this::litePoll);
        verbs.put("liteSeek", this::liteSeek);
        verbs.put("litePause", command -> {
            lite(command).pause(queues(command));
            return Wire.of();
        });
        verbs.put("liteResume", command -> {
            lite(command).resume(queues(command));
            return Wire.of();
        });
        verbs.put("liteCommit", command -> {
            lite(command).commitSync();
            return Wire.of();
        });
        verbs.put("liteCommitted", command -> Wire.of("offset", lite(command).committed(queue(command))));
        verbs.put("liteTime", command -> Wire.of("offset", lite(command).offsetForTimestamp(queue(command), command.number("timestamp", 0L))));
        verbs.put("liteClose", command -> {
            lites.remove(command.text("consumer")).shutdown();
            return Wire.of();
        });
    }

    private synchronized DefaultMQPullConsumer puller(Wire.Command command) throws Exception {
        String group = command.text("group", "readers");
        DefaultMQPullConsumer puller = pullers.get(group);
        if (puller == null) {
            puller = new DefaultMQPullConsumer(group);
            puller.setNamesrvAddr(namesrv);
            puller.setInstanceName(Driver.instance());
            puller.start();
            pullers.put(group, puller);
        }
        return puller;
    }

    private RemoteBrokerOffsetStore store(Wire.Command command) throws Exception {
        var client = puller(new Wire.Command(Wire.of())).getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory();
        return new RemoteBrokerOffsetStore(client, command.text("group"));
    }

    private MessageQueue queue(Wire.Command command) throws Exception {
        Collection<MessageQueue> all = puller(new Wire.Command(Wire.of())).fetchSubscribeMessageQueues(command.text("topic"));
        String broker = all.iterator().next().getBrokerName();
        return new MessageQueue(command.text("topic"), broker, command.number("queue", 0));
    }

    private List<MessageQueue> queues(Wire.Command command) throws Exception {
        List<MessageQueue> queues = new ArrayList<>();
        String broker = queue(command).getBrokerName();
        for (JsonElement id : command.list("queues")) queues.add(new MessageQueue(command.text("topic"), broker, id.getAsInt()));
        return queues;
    }

    private JsonElement pull(Wire.Command command) throws Exception {
        DefaultMQPullConsumer puller = puller(command);
        MessageQueue queue = queue(command);
        long began = System.nanoTime();
        PullResult result = command.flag("block")
            ? puller.pullBlockIfNotFound(queue, command.text("tags", "*"), command.number("offset", 0L), command.number("max", 32))
            : puller.pull(queue, command.text("tags", "*"), command.number("offset", 0L), command.number("max", 32), 20_000);
        return Wire.of("status", result.getPullStatus(), "next", result.getNextBeginOffset(), "min", result.getMinOffset(), "max", result.getMaxOffset(),
            "messages", Driver.shown(result.getMsgFoundList()), "tookMs", (System.nanoTime() - began) / 1_000_000L);
    }

    private JsonElement offsets(Wire.Command command) throws Exception {
        DefaultMQPullConsumer puller = puller(command);
        MessageQueue queue = queue(command);
        return Wire.of("min", puller.minOffset(queue), "max", puller.maxOffset(queue), "earliest", puller.earliestMsgStoreTime(queue));
    }

    private DefaultLitePullConsumer lite(Wire.Command command) {
        DefaultLitePullConsumer lite = lites.get(command.text("consumer"));
        if (lite == null) throw new IllegalArgumentException("no consumer " + command.text("consumer"));
        return lite;
    }

    private JsonElement liteOpen(Wire.Command command) throws Exception {
        DefaultLitePullConsumer lite = new DefaultLitePullConsumer(command.text("group"));
        lite.setNamesrvAddr(namesrv);
        lite.setInstanceName(Driver.instance());
        lite.setConsumeFromWhere(ConsumeFromWhere.valueOf("CONSUME_FROM_" + command.text("from", "FIRST_OFFSET")));
        lite.setAutoCommit(command.flag("autoCommit"));
        lite.setPullBatchSize(command.number("batch", 10));
        lite.setPollNameServerInterval(1_000);
        if (command.has("broadcast")) lite.setMessageModel(Enum.valueOf(lite.getMessageModel().getDeclaringClass(), "BROADCASTING"));
        if (!command.has("queues")) for (var topic : command.texts("topics").entrySet()) lite.subscribe(topic.getKey(), topic.getValue());
        lite.start();
        if (command.has("queues")) lite.assign(queues(command));
        String id = "l" + Driver.instance();
        lites.put(id, lite);
        return Wire.of("consumer", id);
    }

    /** Polls until `count` are there or time is over. */
    private JsonElement litePoll(Wire.Command command) throws Exception {
        DefaultLitePullConsumer lite = lite(command);
        List<MessageExt> all = new ArrayList<>();
        long deadline = System.nanoTime() + command.number("waitMs", 30_000L) * 1_000_000L;
        while (all.size() < command.number("count", 1)) {
            long leftMs = (deadline - System.nanoTime()) / 1_000_000L;
            if (leftMs <= 0) break;
            all.addAll(lite.poll(leftMs));
        }
        return Wire.of("messages", Driver.shown(all));
    }

    private JsonElement liteSeek(Wire.Command command) throws Exception {
        MessageQueue queue = queue(command);
        switch (command.text("to")) {
            case "begin" -> lite(command).seekToBegin(queue);
            case "end" -> lite(command).seekToEnd(queue);
            default -> lite(command).seek(queue, Long.parseLong(command.text("to")));
        }
        return Wire.of();
    }
}
