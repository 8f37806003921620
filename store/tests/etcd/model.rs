//! Random transactions.

use crate::cluster::Cluster;
use crate::rebased::Rebased;
use crate::steps::steps;
use proptest::test_runner::{Config, TestRunner};
use windlass_store::testing::model::{self, Model};

/// Each run is expensive: all that can be read is compared at every revision.
const RUNS: u32 = 8;

#[test]
fn etcd_does_what_the_model_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cluster = runtime.block_on(Cluster::start(1));
    // A failing case is printed; it is not kept in a file, for it depends on nothing but its steps.
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let store = Rebased::empty(cluster.store().await).await;
            let mut model = Model::default();
            model::run(&store, &mut model, &steps).await;
            model::compare(&store, &model).await;
        });
        Ok(())
    });
    run.unwrap();
}
