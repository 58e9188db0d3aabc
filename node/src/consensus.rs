//! Who builds blocks (Aura) and when they are final (GRANDPA).

use std::{sync::Arc, time::Duration};

use caregrid_runtime::opaque::Block;
use sc_consensus::DefaultImportQueue;
use sc_consensus_aura::{ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_grandpa::{
	GrandpaParams, LinkHalf, SharedVoterState, ThreeQuartersOfTheUnfinalizedChain,
	VotingRulesBuilder,
};
use sc_network::{ProtocolName, service::traits::NetworkService};
use sc_service::{Role, TaskManager, error::Error as ServiceError};
use sc_telemetry::TelemetryHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::{inherents, sr25519::AuthorityPair as AuraPair};
use sp_keystore::KeystorePtr;
use substrate_prometheus_endpoint::Registry;

use crate::service::{FullBackend, FullClient, Pool, SelectChain};

/// Imports blocks under GRANDPA's rules.
pub type GrandpaBlockImport =
	sc_consensus_grandpa::GrandpaBlockImport<FullBackend, Block, FullClient, SelectChain>;
/// Ties block import to the voter.
pub type GrandpaLink = LinkHalf<Block, FullClient, SelectChain>;

type Sync = Arc<sc_network_sync::SyncingService<Block>>;

/// Blocks between two justifications that are kept, at the least.
const JUSTIFICATION_PERIOD: u32 = 512;
/// How often votes are gossiped. A sixth of a slot.
const GOSSIP_DURATION: Duration = Duration::from_millis(333);
/// Share of the slot in which a block may be built.
const PROPOSAL_PORTION: f32 = 2.0 / 3.0;

/// How this node takes part.
pub struct Authoring {
	pub role: Role,
	pub name: String,
	pub force: bool,
	pub finalize: bool,
	pub registry: Option<Registry>,
	pub keystore: KeystorePtr,
}

/// What the GRANDPA voter talks through.
pub struct GrandpaVoter {
	pub link: GrandpaLink,
	pub votes: SharedVoterState,
	pub network: Arc<dyn NetworkService>,
	pub protocol_name: ProtocolName,
	pub notification_service: Box<dyn sc_network::NotificationService>,
}

/// The queue that checks blocks from others, and the parts that authoring and voting need.
pub fn import_queue(
	client: Arc<FullClient>,
	select_chain: SelectChain,
	tasks: &TaskManager,
	registry: Option<&Registry>,
	telemetry: Option<TelemetryHandle>,
) -> Result<(DefaultImportQueue<Block>, GrandpaBlockImport, GrandpaLink), ServiceError> {
	let (block_import, link) = sc_consensus_grandpa::block_import(
		client.clone(),
		JUSTIFICATION_PERIOD,
		&client,
		select_chain,
		telemetry.clone(),
	)?;
	let slot_duration = sc_consensus_aura::slot_duration(&*client)?;
	let queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
		block_import: block_import.clone(),
		justification_import: Some(Box::new(block_import.clone())),
		client,
		create_inherent_data_providers: move |_, ()| async move {
			let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
			let slot = inherents::InherentDataProvider::from_timestamp_and_slot_duration(
				*timestamp,
				slot_duration,
			);
			Ok((slot, timestamp))
		},
		spawner: &tasks.spawn_essential_handle(),
		registry,
		check_for_equivocation: Default::default(),
		telemetry,
		compatibility_mode: Default::default(),
	})?;
	Ok((queue, block_import, link))
}

/// Build blocks in this validator's slots; the node ends when that fails.
#[allow(clippy::too_many_arguments, reason = "the node's parts, each moved in once")]
pub fn spawn_aura(
	authoring: &Authoring,
	tasks: &TaskManager,
	client: Arc<FullClient>,
	select_chain: SelectChain,
	block_import: GrandpaBlockImport,
	pool: Arc<Pool>,
	sync: Sync,
	telemetry: Option<TelemetryHandle>,
) -> Result<(), ServiceError> {
	let proposer_factory = sc_basic_authorship::ProposerFactory::new(
		tasks.spawn_handle(),
		client.clone(),
		pool,
		authoring.registry.as_ref(),
		telemetry.clone(),
	);
	let slot_duration = sc_consensus_aura::slot_duration(&*client)?;
	let aura =
		sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(StartAuraParams {
			slot_duration,
			client,
			select_chain,
			block_import,
			proposer_factory,
			create_inherent_data_providers: move |_, ()| async move {
				let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
				let slot = inherents::InherentDataProvider::from_timestamp_and_slot_duration(
					*timestamp,
					slot_duration,
				);
				Ok((slot, timestamp))
			},
			force_authoring: authoring.force,
			backoff_authoring_blocks: None::<()>,
			keystore: authoring.keystore.clone(),
			sync_oracle: sync.clone(),
			justification_sync_link: sync,
			block_proposal_slot_portion: SlotProportion::new(PROPOSAL_PORTION),
			max_block_proposal_slot_portion: None,
			telemetry,
			compatibility_mode: Default::default(),
		})?;
	tasks.spawn_essential_handle().spawn_blocking("aura", Some("block-authoring"), aura);
	Ok(())
}

/// Vote on finality, or only follow it without a validator's keys; the node ends when that fails.
pub fn spawn_grandpa(
	authoring: Authoring,
	tasks: &TaskManager,
	voter: GrandpaVoter,
	pool: Arc<Pool>,
	sync: Sync,
	telemetry: Option<TelemetryHandle>,
) -> Result<(), ServiceError> {
	let config = sc_consensus_grandpa::Config {
		gossip_duration: GOSSIP_DURATION,
		justification_generation_period: JUSTIFICATION_PERIOD,
		name: Some(authoring.name),
		observer_enabled: false,
		keystore: authoring.role.is_authority().then_some(authoring.keystore),
		local_role: authoring.role,
		telemetry: telemetry.clone(),
		protocol_name: voter.protocol_name,
	};
	let voter = sc_consensus_grandpa::run_grandpa_voter(GrandpaParams {
		config,
		link: voter.link,
		network: voter.network,
		sync: Arc::new(sync),
		notification_service: voter.notification_service,
		// Not the default, which votes two blocks behind the best: with slots of two seconds that
		// alone would double the time to finality.
		voting_rule: VotingRulesBuilder::new().add(ThreeQuartersOfTheUnfinalizedChain).build(),
		prometheus_registry: authoring.registry,
		shared_voter_state: voter.votes,
		telemetry,
		offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(pool),
	})?;
	tasks.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
	Ok(())
}
