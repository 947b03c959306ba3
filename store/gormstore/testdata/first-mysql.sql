-- A database of the first version, by mariadb-dump, without the values of the
-- column that the database computes.
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
CREATE TABLE `gatepass_accounts` (
  `provider` varbinary(255) NOT NULL,
  `subject` varbinary(255) NOT NULL,
  `user_id` varchar(191) NOT NULL,
  `issuer` longtext DEFAULT NULL,
  `email` longtext DEFAULT NULL,
  `name` longtext DEFAULT NULL,
  `username` longtext DEFAULT NULL,
  `avatar_url` longtext DEFAULT NULL,
  `profile` longtext DEFAULT NULL,
  `created_at` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `updated_at` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `sealed` longblob DEFAULT NULL,
  `token_expiry` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `token_scopes` longtext DEFAULT NULL,
  `leased_until` bigint(20) NOT NULL DEFAULT -62135596800000000,
  PRIMARY KEY (`provider`,`subject`),
  KEY `gatepass_accounts_user_id` (`user_id`),
  CONSTRAINT `gatepass_accounts_user` FOREIGN KEY (`user_id`) REFERENCES `gatepass_users` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `gatepass_accounts` VALUES (0x676974687562,0x353833323331,'mona7q5jv2ks3t6u4w5x6y7z2a','https://github.com','Mona@Example.com','Mona','octocat','','{\"id\":583231,\"login\":\"octo\'cat\",\"bio\":\"a\\\\b \\\"q\\\" ü\"}',1793528430123456,1793528430123456,0xFFFEFDFCFBFAF9F8F7F6F5F4F3F2F1F0EFEEEDECEBEAE9E8E7E6E5E4E3E2E1E0DFDEDDDCDBDAD9D8D7D6D5D4D3D2D1D0CFCECDCCCBCAC9C8C7C6C5C4C3C2C1C0BFBEBDBCBBBAB9B8B7B6B5B4B3B2B1B0AFAEADACABAAA9A8A7A6A5A4A3A2A1A09F9E9D9C9B9A999897969594939291908F8E8D8C8B8A898887868584838281807F7E7D7C7B7A797877767574737271706F6E6D6C6B6A696867666564636261605F5E5D5C5B5A595857565554535251504F4E4D4C4B4A494847464544434241403F3E3D3C3B3A393837363534333231302F2E2D2C2B2A292827262524232221201F1E1D1C1B1A191817161514131211100F0E0D0C0B0A09080706050403020100,1793557230654321,'[\"read:user\",\"a b\",\"c,d\"]',-62135596800000000);
INSERT INTO `gatepass_accounts` VALUES (0x676F6F676C65,0x4162,'mona7q5jv2ks3t6u4w5x6y7z2a','https://accounts.google.com','','','','','',1793528430123456,1793528430123456,0x9B9A999897969594939291908F8E8D8C8B8A898887868584838281807F7E7D7C7B7A797877767574,-62135596800000000,'',1793528490123456);
INSERT INTO `gatepass_accounts` VALUES (0x676F6F676C65,0x6162,'zoe27q5jv2ks3t6u4w5x6y7z2a','','','','','','',1738555506789012,1793528430123456,NULL,-62135596800000000,NULL,-62135596800000000);
INSERT INTO `gatepass_accounts` VALUES (0x676F6F676C65,0x616220,'zoe27q5jv2ks3t6u4w5x6y7z2a','','','','','','',1793528430123456,1793528430123456,NULL,-62135596800000000,NULL,-62135596800000000);
CREATE TABLE `gatepass_marks` (
  `id` varbinary(255) NOT NULL,
  `ends_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `gatepass_marks_ends_at` (`ends_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `gatepass_marks` VALUES (0x6D61726B2D41,4949202030000001);
INSERT INTO `gatepass_marks` VALUES (0x6D61726B2D61,4949202030000002);
CREATE TABLE `gatepass_sessions` (
  `id` varbinary(255) NOT NULL,
  `user_id` varchar(191) NOT NULL,
  `provider` longtext DEFAULT NULL,
  `subject` longtext DEFAULT NULL,
  `sid` longtext DEFAULT NULL,
  `auth_time` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `reauthed` tinyint(1) DEFAULT NULL,
  `created_at` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `seen_at` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `expires_at` bigint(20) NOT NULL DEFAULT -62135596800000000,
  `user_agent` longtext DEFAULT NULL,
  `ip` longtext DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `gatepass_sessions_user_id` (`user_id`),
  KEY `gatepass_sessions_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `gatepass_sessions` VALUES (0x305A62332D30313233343536373839303132333435363738393031323334353637383930313233343536,'mona7q5jv2ks3t6u4w5x6y7z2a','github','583231','sid-1',1793528430000000,0,1793528430500000,1793614830123457,4949202030000000,'Mozilla/5.0 (ü)','2001:db8::1');
INSERT INTO `gatepass_sessions` VALUES (0x307A62332D30313233343536373839303132333435363738393031323334353637383930313233343536,'mona7q5jv2ks3t6u4w5x6y7z2a','github','583231','sid-1',1793528430000000,1,1793528430500000,1793614830123457,4949202030000000,'Mozilla/5.0 (ü)','2001:db8::1');
CREATE TABLE `gatepass_users` (
  `id` varchar(191) NOT NULL,
  `username` longtext DEFAULT NULL,
  `name` longtext DEFAULT NULL,
  `email` longtext DEFAULT NULL,
  `email_verified` tinyint(1) DEFAULT NULL,
  `avatar_url` longtext DEFAULT NULL,
  `locale` longtext DEFAULT NULL,
  `disabled` tinyint(1) DEFAULT NULL,
  `created_at` datetime(3) DEFAULT NULL,
  `updated_at` datetime(3) DEFAULT NULL,
  `email_key` varchar(320) GENERATED ALWAYS AS (lcase(left(`email`,320))) STORED,
  PRIMARY KEY (`id`),
  KEY `gatepass_users_email` (`email_key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
INSERT INTO `gatepass_users` (`id`, `username`, `name`, `email`, `email_verified`, `avatar_url`, `locale`, `disabled`, `created_at`, `updated_at`) VALUES ('app-1',NULL,'Made by the app',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO `gatepass_users` (`id`, `username`, `name`, `email`, `email_verified`, `avatar_url`, `locale`, `disabled`, `created_at`, `updated_at`) VALUES ('mona7q5jv2ks3t6u4w5x6y7z2a','octocat','Mona Lisa Octocat','Mona@Example.com',1,'https://avatars.example.com/u/583231','en-GB',0,'2026-11-01 10:20:30.123','2026-11-01 10:20:30.123');
INSERT INTO `gatepass_users` (`id`, `username`, `name`, `email`, `email_verified`, `avatar_url`, `locale`, `disabled`, `created_at`, `updated_at`) VALUES ('zoe27q5jv2ks3t6u4w5x6y7z2a','','Zoë 😀 O\'Neil; DROP','zoe@example.org',0,'','',1,'2025-02-03 04:05:06.789','2026-11-01 10:20:30.123');
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
