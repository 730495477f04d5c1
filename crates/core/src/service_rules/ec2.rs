//! EC2: networks, subnets, security groups, endpoints, flow logs.

use serde_json::Value;

use super::{Findings, Rule, Subject, arn_parts, in_range, list, number, reference, shown, text};

const GROUPS: &[&str] = &["AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "vpc-cidr",
        types: &["AWS::EC2::VPC", "AWS::EC2::Subnet"],
        property: "CidrBlock",
        accepts: "an IPv4 range whose host bits are zero, from /16 to /28",
        source: "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html",
        bad: "CidrBlock: 10.0.0.0/8",
        good: "CidrBlock: 10.0.0.0/16",
        check: cidr,
    },
    Rule {
        id: "subnet-range",
        types: &["AWS::EC2::Subnet"],
        property: "CidrBlock",
        accepts: "a part of the range of its VPC that no other subnet has",
        source: "https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html",
        bad: "Resources:\n  Net:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16}\n  Subnet:\n    Type: AWS::EC2::Subnet\n    Properties: {VpcId: !Ref Net, CidrBlock: 192.168.0.0/24}",
        good: "Resources:\n  Net:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16}\n  Subnet:\n    Type: AWS::EC2::Subnet\n    Properties: {VpcId: !Ref Net, CidrBlock: 10.0.1.0/24}",
        check: subnet,
    },
    Rule {
        id: "subnet-zone",
        types: &["AWS::EC2::Subnet"],
        property: "AvailabilityZone",
        accepts: "a zone of the region of the stack",
        source: "https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html",
        bad: "{VpcId: vpc-0123456789abcdef0, CidrBlock: 10.0.0.0/24, AvailabilityZone: eu-west-3a}",
        good: "{VpcId: vpc-0123456789abcdef0, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}",
        check: |subject, found| {
            if let Some(zone) = subject.text("AvailabilityZone")
                && !subject.world.region.is_empty()
                && zone.strip_prefix(subject.world.region).is_none_or(str::is_empty)
            {
                found.refuse(
                    "AvailabilityZone",
                    format!("is in the zone `{zone}`"),
                    format!("write a zone of {}: `{}a`", subject.world.region, subject.world.region),
                    format!("Value ({zone}) for parameter availabilityZone is invalid."),
                );
            }
        },
    },
    Rule {
        id: "security-group",
        types: &["AWS::EC2::SecurityGroup"],
        property: "GroupDescription",
        accepts: "a description of up to 255 letters, digits and `._-:/()#,@[]+=&;{}!$*` with spaces; a name of up to 255 of them that does not begin with `sg-` and is not `default`; up to 60 rules a direction",
        source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html",
        bad: "{GroupDescription: \"warehouse's door\", GroupName: sg-door}",
        good: "{GroupDescription: the door of the warehouse, GroupName: door}",
        check: group,
    },
    Rule {
        id: "security-group-rule",
        types: GROUPS,
        property: "SecurityGroupIngress",
        accepts: "a known protocol, ports of 0 to 65,535 with the first not above the last, and one source a rule: a range of addresses, a group or a prefix list",
        source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html",
        bad: "{GroupDescription: door, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 5439, ToPort: 5438, CidrIp: 10.0.0.0/16}]}",
        good: "{GroupDescription: door, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 5439, ToPort: 5439, CidrIp: 10.0.0.0/16}]}",
        check: group_rules,
    },
    Rule {
        id: "vpc-endpoint",
        types: &["AWS::EC2::VPCEndpoint"],
        property: "VpcEndpointType",
        accepts: "route tables for gateways (S3 and DynamoDB), subnets and security groups for interfaces, and a service of the region of the stack",
        source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html",
        bad: "{VpcId: vpc-0123456789abcdef0, VpcEndpointType: Gateway, ServiceName: com.amazonaws.us-east-1.glue}",
        good: "{VpcId: vpc-0123456789abcdef0, VpcEndpointType: Gateway, ServiceName: com.amazonaws.us-east-1.s3}",
        check: endpoint,
    },
    Rule {
        id: "flow-log",
        types: &["AWS::EC2::FlowLog"],
        property: "LogDestinationType",
        accepts: "a log group with a role, or the ARN of a bucket; an interval of 60 or 600 seconds; a traffic type for networks",
        source: "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html",
        bad: "{ResourceId: vpc-0123456789abcdef0, ResourceType: VPC, TrafficType: ALL, LogDestinationType: s3, LogDestination: !GetAtt Other.Arn, MaxAggregationInterval: 300}",
        good: "{ResourceId: vpc-0123456789abcdef0, ResourceType: VPC, TrafficType: ALL, LogDestinationType: s3, LogDestination: !GetAtt Other.Arn, MaxAggregationInterval: 600}",
        check: flow_log,
    },
    Rule {
        id: "subnet-group",
        types: &["AWS::RDS::DBSubnetGroup", "AWS::DMS::ReplicationSubnetGroup"],
        property: "SubnetIds",
        accepts: "subnets of two zones at least, each once",
        source: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html",
        bad: "{DBSubnetGroupDescription: shop, SubnetIds: [subnet-0123456789abcdef0]}",
        good: "{DBSubnetGroupDescription: shop, SubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]}",
        check: subnet_group,
    },
];

/// The first and the last address of a range.
fn bounds(text: &str) -> Option<(u32, u32, u8)> {
    let (address, bits) = text.split_once('/')?;
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
    let first = u32::from(address) & mask;
    Some((first, first | !mask, bits))
}

/// Whether a text is a range of IPv4 or IPv6 addresses.
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let width = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= width)
}

fn cidr(subject: &Subject<'_>, found: &mut Findings) {
    let Some(text) = subject.text("CidrBlock") else { return };
    let answer = format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
    match bounds(text) {
        None => found.refuse("CidrBlock", format!("has the range `{text}`"), "write `10.0.0.0/16`", answer),
        Some((first, _, bits)) => {
            let start = std::net::Ipv4Addr::from(first);
            if !(16..=28).contains(&bits) {
                found.refuse(
                    "CidrBlock",
                    format!("has the range `{text}`"),
                    "write a range from /16 to /28",
                    format!("The CIDR '{text}' is invalid."),
                );
            } else if text.split('/').next() != Some(start.to_string().as_str()) {
                found.refuse(
                    "CidrBlock",
                    format!("has the range `{text}`, which begins elsewhere"),
                    format!("write `{start}/{bits}`"),
                    answer,
                );
            }
        }
    }
}

fn subnet(subject: &Subject<'_>, found: &mut Findings) {
    let (Some(vpc), Some(text)) = (reference(subject.properties(), "VpcId"), subject.text("CidrBlock")) else { return };
    let Some((first, last, _)) = bounds(text) else { return };
    if let Some(network) = subject.world.find("AWS::EC2::VPC", vpc)
        && let Some(range) = super::text(network.properties, "CidrBlock")
        && let Some((from, to, _)) = bounds(range)
        && (first < from || last > to)
        && !subject.world.resources.iter().any(|one| one.resource_type == "AWS::EC2::VPCCidrBlock")
    {
        found.refuse(
            "CidrBlock",
            format!("has the range `{text}`, outside of `{range}` of `{}`", network.logical_id),
            format!("write a part of `{range}`"),
            format!("The CIDR '{text}' is invalid."),
        );
    }
    let me = (subject.resource.stack, subject.resource.logical_id);
    for other in subject.world.of_type("AWS::EC2::Subnet") {
        // Of two subnets the later one is refused.
        if (other.stack, other.logical_id) == me {
            if subject.world.is_complete {
                break;
            }
            continue;
        }
        if reference(other.properties, "VpcId") == Some(vpc)
            && let Some(range) = super::text(other.properties, "CidrBlock")
            && let Some((from, to, _)) = bounds(range)
            && first <= to
            && from <= last
        {
            found.refuse(
                "CidrBlock",
                format!("has the range `{text}`, which overlaps with `{range}` of `{}`", other.logical_id),
                "choose a range that no other subnet has",
                format!("The CIDR '{text}' conflicts with another subnet"),
            );
        }
    }
}

fn group(subject: &Subject<'_>, found: &mut Findings) {
    let allowed = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c));
    if let Some(text) = subject.text("GroupDescription")
        && (text.is_empty() || text.len() > 255 || !allowed(text))
    {
        found.refuse("GroupDescription", format!("has the description `{text}`"), "write up to 255 letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`", format!("Value ({text}) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported."));
    }
    if let Some(name) = subject.text("GroupName")
        && (name.is_empty() || name.len() > 255 || !allowed(name) || name.starts_with("sg-") || name == "default")
    {
        found.refuse(
            "GroupName",
            format!("has the name `{name}`"),
            "write up to 255 letters, digits and spaces, not `default` and not `sg-…`",
            format!("Invalid value '{name}' for groupName."),
        );
    }
    for property in ["SecurityGroupIngress", "SecurityGroupEgress"] {
        if subject.list(property).len() > 60 {
            found.refuse(
                property,
                format!("has {} rules in `{property}`; EC2 accepts 60", subject.list(property).len()),
                "join ranges",
                "The maximum number of rules per security group has been reached.",
            );
        }
    }
}

fn group_rules(subject: &Subject<'_>, found: &mut Findings) {
    if subject.resource.resource_type != "AWS::EC2::SecurityGroup" {
        group_rule(subject.properties(), "", found);
        return;
    }
    for property in ["SecurityGroupIngress", "SecurityGroupEgress"] {
        for (index, rule) in list(subject.properties(), property).iter().enumerate() {
            group_rule(rule, &format!("{property}/{index}/"), found);
        }
    }
}

fn group_rule(rule: &Value, base: &str, found: &mut Findings) {
    if super::is_unknown(rule) {
        return;
    }
    const PROTOCOLS: [&str; 6] = ["tcp", "udp", "icmp", "icmpv6", "-1", "all"];
    let protocol = rule.get("IpProtocol").map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    if let Some(protocol) = protocol.as_deref().filter(|text| !text.contains(super::UNKNOWN))
        && !PROTOCOLS.contains(&protocol)
        && protocol.parse::<u8>().is_err()
    {
        found.refuse(
            &format!("{base}IpProtocol"),
            format!("has a rule for the protocol `{protocol}`"),
            "write `tcp`, `udp`, `icmp`, `-1`, or a number",
            format!("Invalid value '{protocol}' for IP protocol. Unknown protocol."),
        );
    }
    if matches!(protocol.as_deref(), Some("tcp" | "udp" | "6" | "17")) {
        for key in ["FromPort", "ToPort"] {
            match number(rule, key) {
                None if rule.get(key).is_none() => found.refuse(
                    base,
                    format!("has a rule for {} without `{key}`", protocol.as_deref().unwrap_or_default()),
                    format!("add `{key}`"),
                    "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
                ),
                Some(port) if !(0.0..=65_535.0).contains(&port) => found.refuse(
                    &format!("{base}{key}"),
                    format!("has the port {}", shown(port)),
                    "write 0 to 65535",
                    format!("Invalid TCP/UDP port: {}", shown(port)),
                ),
                _ => {}
            }
        }
        if let (Some(from), Some(to)) = (number(rule, "FromPort"), number(rule, "ToPort"))
            && from > to
        {
            found.refuse(
                &format!("{base}ToPort"),
                format!("has the ports {} to {}", shown(from), shown(to)),
                "write the lower one as `FromPort`",
                format!(
                    "Invalid value '{}-{}' for portRange. From port cannot be greater than to port.",
                    shown(from),
                    shown(to)
                ),
            );
        }
    }
    for key in ["CidrIp", "CidrIpv6"] {
        if let Some(range) = text(rule, key) {
            let fits = is_cidr(range) && (range.contains(':') == (key == "CidrIpv6"));
            if !fits {
                found.refuse(
                    &format!("{base}{key}"),
                    format!("has the range `{range}`"),
                    if key == "CidrIp" { "write `10.0.0.0/16`" } else { "write `2001:db8::/32`" },
                    format!("CIDR block {range} is malformed"),
                );
            }
        }
    }
    const SOURCES: [&str; 8] = [
        "CidrIp",
        "CidrIpv6",
        "SourceSecurityGroupId",
        "SourceSecurityGroupName",
        "SourcePrefixListId",
        "DestinationSecurityGroupId",
        "DestinationPrefixListId",
        "SourceSecurityGroupOwnerId",
    ];
    let sources: Vec<&str> = SOURCES[..7].iter().copied().filter(|key| rule.get(key).is_some()).collect();
    if sources.is_empty() {
        found.refuse(
            base,
            "has a rule without a source",
            "add `CidrIp`, `SourceSecurityGroupId` or `SourcePrefixListId`",
            "Invalid request: a rule needs exactly one source",
        );
    } else if sources.len() > 1 {
        found.refuse(
            &format!("{base}{}", sources[1]),
            format!("has `{}` in one rule", sources.join("` and `")),
            "write a rule for each",
            "Only one of CidrIp, CidrIpv6, SourceSecurityGroup can be specified",
        );
    }
    if let Some(text) = text(rule, "Description")
        && (text.len() > 255
            || !text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c)))
    {
        found.refuse(
            &format!("{base}Description"),
            format!("has the description `{text}`"),
            "write up to 255 letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`",
            "Invalid rule description.",
        );
    }
}

fn endpoint(subject: &Subject<'_>, found: &mut Findings) {
    let kind = subject.text("VpcEndpointType").unwrap_or("Gateway");
    if subject.get("VpcEndpointType").is_some_and(super::is_unknown) {
        return;
    }
    if let Some(service) = subject.text("ServiceName") {
        let parts: Vec<&str> = service.split('.').collect();
        let of_aws = service.starts_with("com.amazonaws.");
        if of_aws
            && parts.len() >= 4
            && parts[2] != subject.world.region
            && !subject.world.region.is_empty()
            && !subject.has("ServiceRegion")
            && !["vpce", "s3-global"].contains(&parts[2])
        {
            found.refuse(
                "ServiceName",
                format!("is an endpoint of `{service}`, of another region"),
                format!("write `com.amazonaws.{}.…`", subject.world.region),
                format!("The Vpc Endpoint Service '{service}' does not exist"),
            );
        }
        if !of_aws && !service.starts_with("aws.") && !service.starts_with("cn.com.amazonaws.") {
            found.refuse(
                "ServiceName",
                format!("is an endpoint of `{service}`"),
                "write `com.amazonaws.<region>.<service>`",
                format!("The Vpc Endpoint Service '{service}' does not exist"),
            );
        }
        let last = parts.last().copied().unwrap_or_default();
        if kind == "Gateway" && of_aws && !["s3", "dynamodb", "s3express"].contains(&last) {
            found.refuse(
                "ServiceName",
                format!("is a gateway to `{last}`"),
                "write `VpcEndpointType: Interface`",
                format!("Endpoint type (Gateway) does not match available service types ([Interface]) for {service}."),
            );
        }
    }
    for (property, owner) in
        [("RouteTableIds", "Gateway"), ("SecurityGroupIds", "Interface"), ("SubnetIds", "Interface")]
    {
        if subject.get(property).is_some_and(|value| value.as_array().is_none_or(|items| !items.is_empty()))
            && kind != owner
            && !(owner == "Interface" && kind == "GatewayLoadBalancer")
        {
            found.refuse(
                property,
                format!("has `{property}` with the type {kind}"),
                format!("write `VpcEndpointType: {owner}`, or remove it"),
                format!("{property} are only supported for {owner} type VPC Endpoint."),
            );
        }
    }
    if subject.is_true("PrivateDnsEnabled") && kind == "Gateway" {
        found.refuse(
            "PrivateDnsEnabled",
            "has private DNS with the type Gateway",
            "remove `PrivateDnsEnabled`",
            "Private DNS can only be enabled for Interface type VPC Endpoint.",
        );
    }
}

fn flow_log(subject: &Subject<'_>, found: &mut Findings) {
    let kind = subject.text("LogDestinationType").unwrap_or("cloud-watch-logs");
    if let Some(seconds) = subject.number("MaxAggregationInterval").filter(|seconds| ![60.0, 600.0].contains(seconds)) {
        found.refuse(
            "MaxAggregationInterval",
            format!("aggregates for {} seconds", shown(seconds)),
            "write 60 or 600",
            "Invalid Flow Log Max Aggregation Interval",
        );
    }
    if kind == "cloud-watch-logs" {
        if !subject.has("DeliverLogsPermissionArn") {
            found.refuse(
                "LogDestinationType",
                "writes to a log group without a role",
                "add `DeliverLogsPermissionArn`",
                "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs",
            );
        }
        if !subject.has("LogGroupName") && !subject.has("LogDestination") {
            found.refuse(
                "LogDestinationType",
                "writes to no log group",
                "add `LogGroupName`",
                "LogDestination can't be empty if LogGroupName is not provided.",
            );
        }
    } else {
        if subject.has("LogGroupName") {
            found.refuse(
                "LogGroupName",
                format!("has a log group and writes to `{kind}`"),
                "remove `LogGroupName`",
                "LogGroupName is not allowed for the destination type",
            );
        }
        match subject.text("LogDestination") {
            None if !subject.has("LogDestination") => found.refuse(
                "LogDestinationType",
                format!("writes to `{kind}` without a destination"),
                "add `LogDestination`",
                "LogDestination can't be empty",
            ),
            Some(text) if arn_parts(text).is_none() => found.refuse(
                "LogDestination",
                format!("writes to `{text}`"),
                "write the ARN of a bucket",
                "LogDestination is not a valid ARN",
            ),
            _ => {}
        }
    }
    if matches!(subject.text("ResourceType"), Some("VPC" | "Subnet" | "NetworkInterface"))
        && !subject.has("TrafficType")
    {
        found.refuse("ResourceType", "has no traffic type", "add `TrafficType: ALL`", "TrafficType is required");
    }
    in_range(subject, found, "MaxAggregationInterval", 60.0, 600.0);
}

fn subnet_group(subject: &Subject<'_>, found: &mut Findings) {
    let subnets = subject.list("SubnetIds");
    if subject.get("SubnetIds").is_some_and(Value::is_array) && subnets.len() < 2 {
        found.refuse("SubnetIds", format!("has {} subnets", subnets.len()), "name subnets of two zones", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.");
        return;
    }
    let zones: Vec<Option<&str>> = subnets
        .iter()
        .map(|subnet| {
            let declared = subnet.as_str().and_then(|id| subject.world.find("AWS::EC2::Subnet", id))?;
            reference(declared.properties, "AvailabilityZone")
        })
        .collect();
    if zones.len() > 1 && zones.iter().all(|zone| zone.is_some() && *zone == zones[0]) {
        found.refuse("SubnetIds", "has subnets of one zone", "name subnets of two zones", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at least 2 AZs.");
    }
}
