// The administration client: topics, configuration, records, groups and their offsets, the cluster, users.
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListConsumerGroupsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ConsumerGroupState;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;

final class Administering {
    private final Map<String, Admin> admins = new ConcurrentHashMap<>();

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("createTopic", this::createTopic);
        verbs.put("deleteTopic", command -> {
            if (command.has("topicId")) admin(command).deleteTopics(TopicCollection.ofTopicIds(List.of(org.apache.kafka.common.Uuid.fromString(command.text("topicId"))))).all().get();
            else admin(command).deleteTopics(List.of(command.text("topic"))).all().get();
            return Wire.of();
        });
        verbs.put("topics", command -> Wire.of("topics", admin(command).listTopics(new ListTopicsOptions().listInternal(command.flag("internal"))).names().get().stream().sorted().toList()));
        verbs.put("describeTopic", this::describeTopic);
        verbs.put("createPartitions", command -> {
            NewPartitions wanted = NewPartitions.increaseTo(command.number("count", 1));
            admin(command).createPartitions(Map.of(command.text("topic"), wanted), new CreatePartitionsOptions().validateOnly(command.flag("validateOnly"))).all().get();
            return Wire.of();
        });
        verbs.put("configs", this::configs);
        verbs.put("setConfigs", this::setConfigs);
        verbs.put("deleteRecords", command -> {
            TopicPartition partition = Driver.partition(command);
            var result = admin(command).deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(command.number("before", 0L))));
            return Wire.of("low", result.lowWatermarks().get(partition).get().lowWatermark());
        });
        verbs.put("listOffset", this::listOffset);
        verbs.put("groups", this::groups);
        verbs.put("describeGroup", this::describeGroup);
        verbs.put("deleteGroup", command -> {
            admin(command).deleteConsumerGroups(List.of(command.text("group"))).all().get();
            return Wire.of();
        });
        verbs.put("committed", this::committed);
        verbs.put("setOffsets", command -> {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            command.part("offsets").json().entrySet().forEach(e -> offsets.put(Driver.partition(e.getKey()), new OffsetAndMetadata(e.getValue().getAsLong(), command.text("metadata", ""))));
            admin(command).alterConsumerGroupOffsets(command.text("group"), offsets).all().get();
            return Wire.of();
        });
        verbs.put("deleteOffsets", command -> {
            admin(command).deleteConsumerGroupOffsets(command.text("group"), Set.of(Driver.partition(command))).all().get();
            return Wire.of();
        });
        verbs.put("removeMembers", command -> {
            List<MemberToRemove> gone = new ArrayList<>();
            command.list("instances").forEach(one -> gone.add(new MemberToRemove(one.getAsString())));
            var options = gone.isEmpty() ? new RemoveMembersFromConsumerGroupOptions() : new RemoveMembersFromConsumerGroupOptions(gone);
            admin(command).removeMembersFromConsumerGroup(command.text("group"), options).all().get();
            return Wire.of();
        });
        verbs.put("cluster", command -> {
            DescribeClusterResult cluster = admin(command).describeCluster();
            return Wire.of("clusterId", cluster.clusterId().get(), "controller", cluster.controller().get().id(),
                "nodes", cluster.nodes().get().stream().map(one -> one.id() + " " + one.host() + ":" + one.port()).toList());
        });
        verbs.put("logDirs", this::logDirs);
        verbs.put("setScram", this::setScram);
        verbs.put("scramUsers", this::scramUsers);
        verbs.put("setQuota", this::setQuota);
        verbs.put("quotas", command -> {
            Map<String, Object> all = new LinkedHashMap<>();
            admin(command).describeClientQuotas(ClientQuotaFilter.all()).entities().get().forEach((entity, values) -> all.put(entity.entries().toString(), values));
            return Wire.of("quotas", all);
        });
        verbs.put("features", command -> Wire.of("finalized", admin(command).describeFeatures().featureMetadata().get().finalizedFeatures().keySet()));
        verbs.put("electLeaders", command -> {
            var outcome = admin(command).electLeaders(ElectionType.PREFERRED, Set.of(Driver.partition(command))).partitions().get().get(Driver.partition(command));
            return Wire.of("outcome", outcome == null ? null : outcome.map(Driver::error).orElse(null));
        });
        verbs.put("reassignments", command -> Wire.of("reassignments", admin(command).listPartitionReassignments().reassignments().get().size()));
        verbs.put("producers", command -> Wire.of("producers", admin(command).describeProducers(List.of(Driver.partition(command))).partitionResult(Driver.partition(command)).get()
            .activeProducers().stream().map(one -> Wire.of("id", one.producerId(), "epoch", one.producerEpoch(), "sequence", one.lastSequence())).toList()));
        verbs.put("transactions", command -> Wire.of("transactions", admin(command).listTransactions().all().get().size()));
    }

    private Admin admin(Wire.Command command) {
        return admins.computeIfAbsent("" + command.json().get("config"), key -> Admin.create(Driver.settings(command)));
    }

    private JsonElement createTopic(Wire.Command command) throws Exception {
        Optional<Integer> partitions = command.has("partitions") ? Optional.of(command.number("partitions", 1)) : Optional.empty();
        Optional<Short> replicas = command.has("replicas") ? Optional.of((short) command.number("replicas", 1)) : Optional.empty();
        NewTopic topic = new NewTopic(command.text("topic"), partitions, replicas).configs(command.texts("configs"));
        CreateTopicsResult result = admin(command).createTopics(List.of(topic), new CreateTopicsOptions().validateOnly(command.flag("validateOnly")));
        String name = command.text("topic");
        result.all().get();
        Map<String, Object> configs = new HashMap<>();
        for (ConfigEntry entry : result.config(name).get().entries()) configs.put(entry.name(), entry.value());
        return Wire.of("partitions", result.numPartitions(name).get(), "replicas", result.replicationFactor(name).get(), "configs", configs,
            "topicId", command.flag("validateOnly") ? null : result.topicId(name).get());
    }

    private JsonElement describeTopic(Wire.Command command) throws Exception {
        TopicDescription topic = admin(command).describeTopics(List.of(command.text("topic"))).allTopicNames().get().get(command.text("topic"));
        List<JsonObject> partitions = new ArrayList<>();
        topic.partitions().forEach(one -> partitions.add(Wire.of("partition", one.partition(), "leader", one.leader() == null ? null : one.leader().id(),
            "replicas", one.replicas().stream().map(node -> node.id()).toList(), "isr", one.isr().stream().map(node -> node.id()).toList())));
        return Wire.of("topicId", topic.topicId(), "internal", topic.isInternal(), "partitions", partitions);
    }

    private static ConfigResource resource(Wire.Command command) {
        return new ConfigResource(ConfigResource.Type.valueOf(command.text("type", "TOPIC").toUpperCase()), command.text("name"));
    }

    private JsonElement configs(Wire.Command command) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(command.flag("documentation"));
        Config found = admin(command).describeConfigs(List.of(resource(command)), options).all().get().get(resource(command));
        Map<String, Object> all = new LinkedHashMap<>();
        for (ConfigEntry entry : found.entries())
            all.put(entry.name(), Wire.of("value", entry.value(), "source", entry.source(), "isReadOnly", entry.isReadOnly(), "isSensitive", entry.isSensitive(), "type", entry.type(),
                "documentation", entry.documentation(), "synonyms", entry.synonyms().stream().map(one -> one.name() + "=" + one.value() + " " + one.source()).toList()));
        return Wire.of("configs", all);
    }

    private JsonElement setConfigs(Wire.Command command) throws Exception {
        Collection<AlterConfigOp> ops = new ArrayList<>();
        for (JsonElement element : command.list("ops")) {
            Wire.Command op = new Wire.Command(element.getAsJsonObject());
            ConfigEntry entry = new ConfigEntry(op.text("name"), op.has("value") ? op.text("value") : null);
            ops.add(new AlterConfigOp(entry, AlterConfigOp.OpType.valueOf(op.text("op", "SET").toUpperCase())));
        }
        admin(command).incrementalAlterConfigs(Map.of(resource(command), ops), new AlterConfigsOptions().validateOnly(command.flag("validateOnly"))).all().get();
        return Wire.of();
    }

    private JsonElement listOffset(Wire.Command command) throws Exception {
        TopicPartition partition = Driver.partition(command);
        OffsetSpec spec = switch (command.text("at", "latest")) {
            case "latest" -> OffsetSpec.latest();
            case "earliest" -> OffsetSpec.earliest();
            case "max" -> OffsetSpec.maxTimestamp();
            case "local" -> OffsetSpec.earliestLocal();
            case "tiered" -> OffsetSpec.latestTiered();
            default -> OffsetSpec.forTimestamp(command.number("at", 0L));
        };
        ListOffsetsResult.ListOffsetsResultInfo found = admin(command).listOffsets(Map.of(partition, spec)).partitionResult(partition).get();
        return Wire.of("offset", found.offset(), "timestamp", found.timestamp(), "epoch", found.leaderEpoch().orElse(null));
    }

    private JsonElement groups(Wire.Command command) throws Exception {
        ListConsumerGroupsOptions options = new ListConsumerGroupsOptions();
        Set<ConsumerGroupState> states = EnumSet.noneOf(ConsumerGroupState.class);
        command.list("states").forEach(one -> states.add(ConsumerGroupState.parse(one.getAsString())));
        if (!states.isEmpty()) options.inStates(states);
        return Wire.of("groups", admin(command).listConsumerGroups(options).all().get().stream()
            .map(one -> Wire.of("group", one.groupId(), "state", one.state().map(Object::toString).orElse(null), "simple", one.isSimpleConsumerGroup())).toList());
    }

    private JsonElement describeGroup(Wire.Command command) throws Exception {
        ConsumerGroupDescription group = admin(command).describeConsumerGroups(List.of(command.text("group"))).all().get().get(command.text("group"));
        return Wire.of("state", group.state(), "assignor", group.partitionAssignor(), "coordinator", group.coordinator() == null ? null : group.coordinator().id(), "simple", group.isSimpleConsumerGroup(),
            "members", group.members().stream().map(one -> Wire.of("id", one.consumerId(), "instance", one.groupInstanceId().orElse(null), "client", one.clientId(), "host", one.host(),
                "partitions", one.assignment().topicPartitions().stream().map(Driver::name).sorted().toList())).toList());
    }

    private JsonElement committed(Wire.Command command) throws Exception {
        String group = command.text("group");
        ListConsumerGroupOffsetsSpec spec = new ListConsumerGroupOffsetsSpec();
        if (command.has("partitions")) {
            List<TopicPartition> wanted = new ArrayList<>();
            command.list("partitions").forEach(one -> wanted.add(Driver.partition(one.getAsString())));
            spec.topicPartitions(wanted);
        }
        Map<String, Object> all = new LinkedHashMap<>();
        admin(command).listConsumerGroupOffsets(Map.of(group, spec)).partitionsToOffsetAndMetadata(group).get().forEach((partition, found) -> all.put(Driver.name(partition),
            found == null ? null : Wire.of("offset", found.offset(), "metadata", found.metadata(), "epoch", found.leaderEpoch().orElse(null))));
        return Wire.of("offsets", all);
    }

    private JsonElement logDirs(Wire.Command command) throws Exception {
        int node = admin(command).describeCluster().nodes().get().iterator().next().id();
        Map<String, Object> sizes = new LinkedHashMap<>();
        List<JsonObject> dirs = new ArrayList<>();
        admin(command).describeLogDirs(List.of(node)).allDescriptions().get().get(node).forEach((path, dir) -> {
            dirs.add(Wire.of("error", dir.error() == null ? null : dir.error().getMessage(), "total", dir.totalBytes().isPresent() ? dir.totalBytes().getAsLong() : null));
            dir.replicaInfos().forEach((partition, replica) -> sizes.put(Driver.name(partition), replica.size()));
        });
        return Wire.of("dirs", dirs, "sizes", sizes);
    }

    private JsonElement setScram(Wire.Command command) throws Exception {
        ScramMechanism mechanism = ScramMechanism.fromMechanismName(command.text("mechanism"));
        admin(command).alterUserScramCredentials(List.of(command.has("password")
            ? new UserScramCredentialUpsertion(command.text("user"), new ScramCredentialInfo(mechanism, command.number("iterations", 8_192)), command.text("password").getBytes(StandardCharsets.UTF_8))
            : new UserScramCredentialDeletion(command.text("user"), mechanism))).all().get();
        return Wire.of();
    }

    private JsonElement scramUsers(Wire.Command command) throws Exception {
        List<String> users = command.has("user") ? List.of(command.text("user")) : null;
        return Wire.of("users", admin(command).describeUserScramCredentials(users).all().get().values().stream().map(one -> Wire.of(
            "user", one.name(), "credentials", one.credentialInfos().stream().map(info -> info.mechanism().mechanismName() + " " + info.iterations()).sorted().toList())).toList());
    }

    private JsonElement setQuota(Wire.Command command) throws Exception {
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, command.text("client")));
        var op = new ClientQuotaAlteration.Op(command.text("key"), command.has("value") ? (Double) (double) command.number("value", 0L) : null);
        admin(command).alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(op)))).all().get();
        return Wire.of();
    }
}
