//! Which user a container runs as.

use crate::runtime::{Error, Result, Security};

/// User and groups by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct User {
    pub(in crate::runtime) uid: u32,
    pub(in crate::runtime) gid: u32,
    pub(in crate::runtime) groups: Vec<u32>,
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
}

/// The user of a container: the pod's words first, then the image's `USER` (`name`, `uid`, each
/// with `:group` or without), by the image's `/etc/passwd` and `/etc/group`.
pub(in crate::runtime) fn resolve(
    image: &str,
    security: &Security,
    passwd: &str,
    group: &str,
) -> Result<User> {
    let (image_user, image_group) = match image.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (image, None),
    };
    let account = match security.run_as_user {
        Some(uid) => by_uid(passwd, number(uid)?),
        None => by_words(passwd, image_user)?,
    };
    let mut gid = account.gid;
    if let (None, Some(words)) = (security.run_as_user, image_group) {
        gid = group_by_words(group, words)?;
    }
    if let Some(wanted) = security.run_as_group {
        gid = number(wanted)?;
    }
    let mut groups = memberships(group, account.name);
    for extra in &security.supplemental_groups {
        groups.push(number(*extra)?);
    }
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|g| *g != gid);
    Ok(User { uid: account.uid, gid, groups })
}

fn by_words<'a>(passwd: &'a str, words: &'a str) -> Result<Account<'a>> {
    if words.is_empty() {
        return Ok(by_uid(passwd, 0));
    }
    if let Ok(uid) = words.parse() {
        return Ok(by_uid(passwd, uid));
    }
    accounts(passwd).find(|a| a.name == words).ok_or_else(|| {
        Error::Invalid(format!("unable to find user {words}: no matching entries in passwd file"))
    })
}

fn by_uid(passwd: &str, uid: u32) -> Account<'_> {
    let unknown = Account { name: "", uid, gid: 0 };
    accounts(passwd).find(|a| a.uid == uid).unwrap_or(unknown)
}

fn group_by_words(group: &str, words: &str) -> Result<u32> {
    if let Ok(gid) = words.parse() {
        return Ok(gid);
    }
    let found = group.lines().map(fields).find(|f| f.first() == Some(&words));
    found.and_then(|f| f.get(2)?.parse().ok()).ok_or_else(|| {
        Error::Invalid(format!("unable to find group {words}: no matching entries in group file"))
    })
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let lines = group.lines().map(fields);
    let mine = lines
        .filter(|f| !user.is_empty() && f.get(3).is_some_and(|m| m.split(',').any(|m| m == user)));
    mine.filter_map(|f| f.get(2)?.parse().ok()).collect()
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().map(fields).filter_map(|f| {
        Some(Account {
            name: f.first()?,
            uid: f.get(2)?.parse().ok()?,
            gid: f.get(3)?.parse().ok()?,
        })
    })
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

fn number(id: i64) -> Result<u32> {
    u32::try_from(id).map_err(|_| Error::Invalid(format!("{id} is not a user or group number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/false\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:\nlogs:x:50:web,other\n";

    fn of(image: &str, security: &Security) -> Result<User> {
        resolve(image, security, PASSWD, GROUP)
    }

    #[test]
    fn a_name_is_looked_up_with_its_groups() {
        let user = of("web", &Security::default()).unwrap();
        assert_eq!(user, User { uid: 33, gid: 34, groups: vec![50] });
    }

    #[test]
    fn the_pod_comes_before_the_image() {
        let security = Security {
            run_as_user: Some(1000),
            run_as_group: Some(2000),
            supplemental_groups: vec![7],
            ..Security::default()
        };
        let user = of("web:logs", &security).unwrap();
        assert_eq!(user, User { uid: 1000, gid: 2000, groups: vec![7] });
    }

    #[test]
    fn numbers_need_no_entry() {
        assert_eq!(
            of("5:6", &Security::default()).unwrap(),
            User { uid: 5, gid: 6, groups: vec![] }
        );
        assert_eq!(of("", &Security::default()).unwrap(), User::default());
    }

    #[test]
    fn an_unknown_name_is_invalid() {
        assert!(matches!(of("nobody", &Security::default()), Err(Error::Invalid(_))));
        assert!(matches!(of("web:nogroup", &Security::default()), Err(Error::Invalid(_))));
    }
}
