//! Assembles the node: database, executor, pool, network, RPC, consensus.

use std::sync::Arc;

use caregrid_runtime::{apis::RuntimeApi, opaque::Block};
use sc_client_api::BlockBackend;
use sc_consensus_grandpa::{FinalityProofProvider, SharedVoterState, warp_proof::NetworkProvider};
use sc_network::{NetworkBackend, config::FullNetworkConfiguration};
use sc_service::{
	Configuration, PartialComponents, SpawnTasksParams, TaskManager, WarpSyncConfig,
	error::Error as ServiceError,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sp_runtime::traits::Block as BlockT;

use crate::{
	consensus::{self, GrandpaBlockImport, GrandpaLink},
	rpc,
};

/// The client: executes the runtime's WASM, with Substrate's host functions and no others.
pub type FullClient = sc_service::TFullClient<
	Block,
	RuntimeApi,
	sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>,
>;
/// The database.
pub type FullBackend = sc_service::TFullBackend<Block>;
/// The fork to build on.
pub type SelectChain = sc_consensus::LongestChain<FullBackend, Block>;
/// The pool of extrinsics.
pub type Pool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;

type BlockHash = <Block as BlockT>::Hash;
type Parts = PartialComponents<
	FullClient,
	FullBackend,
	SelectChain,
	sc_consensus::DefaultImportQueue<Block>,
	Pool,
	(GrandpaBlockImport, GrandpaLink, Option<Telemetry>),
>;

fn start_telemetry(
	config: &Configuration,
) -> Result<Option<(TelemetryWorker, Telemetry)>, ServiceError> {
	let Some(endpoints) = config.telemetry_endpoints.clone().filter(|list| !list.is_empty()) else {
		return Ok(None);
	};
	let worker = TelemetryWorker::new(16)?;
	let telemetry = worker.handle().new_telemetry(endpoints);
	Ok(Some((worker, telemetry)))
}

fn assemble(config: &Configuration) -> Result<Parts, ServiceError> {
	let telemetry = start_telemetry(config)?;
	let executor = sc_service::new_wasm_executor(&config.executor);
	let (client, backend, keystore_container, task_manager) =
		sc_service::new_full_parts::<Block, RuntimeApi, _>(
			config,
			telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
			executor,
			Vec::new(),
		)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});
	let select_chain = sc_consensus::LongestChain::new(backend.clone());
	let transaction_pool = Arc::from(
		sc_transaction_pool::Builder::new(
			task_manager.spawn_essential_handle(),
			client.clone(),
			config.role.is_authority().into(),
		)
		.with_options(config.transaction_pool.clone())
		.with_prometheus(config.prometheus_registry())
		.build(),
	);
	let (import_queue, block_import, link) = consensus::import_queue(
		client.clone(),
		select_chain.clone(),
		&task_manager,
		config.prometheus_registry(),
		telemetry.as_ref().map(Telemetry::handle),
	)?;
	Ok(PartialComponents {
		client,
		backend,
		task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool,
		other: (block_import, link, telemetry),
	})
}

/// Start the node on network backend `N`; the returned manager keeps it running.
pub fn start<N: NetworkBackend<Block, BlockHash>>(
	config: Configuration,
) -> Result<TaskManager, ServiceError> {
	let PartialComponents {
		client,
		backend,
		mut task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool,
		other: (block_import, link, mut telemetry),
	} = assemble(&config)?;

	let registry = config.prometheus_registry().cloned();
	let mut net_config =
		FullNetworkConfiguration::<Block, BlockHash, N>::new(&config.network, registry.clone());
	let metrics = N::register_notification_metrics(registry.as_ref());
	let genesis = client.block_hash(0)?.expect("a started client has a genesis block; qed");
	let protocol_name = sc_consensus_grandpa::protocol_standard_name(&genesis, &config.chain_spec);
	let (protocol, notification_service) = sc_consensus_grandpa::grandpa_peers_set_config::<_, N>(
		protocol_name.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(protocol);
	let warp_sync =
		NetworkProvider::new(backend.clone(), link.shared_authority_set().clone(), Vec::new());

	let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: transaction_pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(Arc::new(warp_sync))),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	let authoring = consensus::Authoring {
		role: config.role,
		name: config.network.node_name.clone(),
		force: config.force_authoring,
		finalize: !config.disable_grandpa,
		registry,
		keystore: keystore_container.keystore(),
	};
	let votes = SharedVoterState::empty();
	let rpc_builder = {
		let (client, pool) = (client.clone(), transaction_pool.clone());
		let authorities = link.shared_authority_set().clone();
		let finality = rpc::Finality {
			proofs: FinalityProofProvider::new_for_service(
				backend.clone(),
				Some(authorities.clone()),
			),
			authorities,
			votes: votes.clone(),
			justifications: link.justification_stream(),
		};
		Box::new(move |executor| {
			rpc::extensions(client.clone(), pool.clone(), finality.clone(), executor)
				.map_err(Into::into)
		})
	};
	sc_service::spawn_tasks(SpawnTasksParams {
		network: Arc::new(network.clone()),
		client: client.clone(),
		keystore: keystore_container.keystore(),
		task_manager: &mut task_manager,
		transaction_pool: transaction_pool.clone(),
		rpc_builder,
		backend,
		system_rpc_tx,
		tx_handler_controller,
		sync_service: sync_service.clone(),
		config,
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;

	let telemetry = telemetry.as_ref().map(Telemetry::handle);
	if authoring.role.is_authority() {
		consensus::spawn_aura(
			&authoring,
			&task_manager,
			client,
			select_chain,
			block_import,
			transaction_pool.clone(),
			sync_service.clone(),
			telemetry.clone(),
		)?;
	}
	if authoring.finalize {
		let voter =
			consensus::GrandpaVoter { link, votes, network, protocol_name, notification_service };
		consensus::spawn_grandpa(
			authoring,
			&task_manager,
			voter,
			transaction_pool,
			sync_service,
			telemetry,
		)?;
	}
	Ok(task_manager)
}
