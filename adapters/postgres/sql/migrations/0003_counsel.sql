-- Counsel's authority and a conflict of interest act on the gate as an ROI does, so they too must say about whom and when.
alter table log.event
    drop constraint consent_names_participant_and_party,
    drop constraint consent_that_gives_names_its_end,
    add constraint consent_names_participant_and_party check (
        topic not in (
            'roi.granted', 'roi.narrowed', 'roi.revoked', 'roi.expired', 'item.consented', 'item.withdrawn',
            'counsel.authorised', 'counsel.narrowed', 'counsel.ended', 'conflict.declared'
        ) or (participant_id is not null and party_id is not null)
    ),
    add constraint consent_that_gives_names_its_end check (
        topic not in ('roi.granted', 'roi.narrowed', 'item.consented', 'counsel.authorised', 'counsel.narrowed')
        or expires_at is not null
    );
