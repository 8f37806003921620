//! What every backend owes: nftables and userspace with real packets in network namespaces, the recording one by
//! what it recorded.
#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;
mod scenarios;
mod subject;

/// Runs each scenario with each backend.
macro_rules! contract {
    ($($scenario:ident),+ $(,)?) => {
        contract!(@ nftables $($scenario)+);
        contract!(@ userspace $($scenario)+);
        contract!(@ fake $($scenario)+);
    };
    (@ $backend:ident $($scenario:ident)+) => {
        mod $backend {
            $(#[test]
            fn $scenario() {
                let subject = crate::subject::$backend(stringify!($scenario));
                if let Some(mut subject) = subject {
                    crate::scenarios::$scenario(&mut subject);
                }
            })+
        }
    };
}

contract! {
    every_endpoint_serves,
    every_endpoint_serves_datagrams,
    endpoints_come_and_go,
    a_port_that_is_removed_serves_nobody,
    a_resync_leaves_nothing_of_before,
    the_same_again_changes_nothing,
    without_endpoints_nobody_serves,
    policies_choose_endpoints,
    node_ports_lead_to_endpoints_and_move,
    each_service_has_its_own_endpoints,
    a_thousand_endpoints_that_flap_end_where_they_are_told,
    names_may_be_long,
    a_protocol_that_can_not_be_served_keeps_nothing_from_being_served,
    a_client_with_affinity_stays,
}
